package workloads

import (
	"net/netip"
	"reflect"
	"testing"
)

func TestPlanIsDeterministicAndExact(t *testing.T) {
	topology := Topology{RemoteNodes: 9, Namespaces: 30, PodsPerNamespace: 10, Local: 37, DualStack: true}
	first, err := NewPlan(7, topology, "local")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := NewPlan(7, topology, "local")
	s := first.State()
	if !s.Equal(second.State()) {
		t.Error("the same seed gave another state")
	}
	if s.Pods().Len() != 300 || len(s.LocalPods()) != 37 || s.Nodes().Len() != 10 {
		t.Errorf("%d pods, %d local, %d nodes", s.Pods().Len(), len(s.LocalPods()), s.Nodes().Len())
	}
	seen := map[netip.Addr]Key{}
	for k, p := range s.Pods().All() {
		for _, ip := range p.IPs {
			if other, taken := seen[ip]; taken {
				t.Errorf("%s and %s share %s", k, other, ip)
			}
			seen[ip] = k
			if !PoolV4.Contains(ip) && !PoolV6.Contains(ip) {
				t.Errorf("%s is outside the pools", ip)
			}
		}
	}
}

func TestAddressCarries(t *testing.T) {
	for index, want := range map[int]string{1: "10.128.0.1", 255: "10.128.0.255", 256: "10.128.1.0", 65536: "10.129.0.0", maxPods: "10.191.255.254"} {
		if got := address(PoolV4, index).String(); got != want {
			t.Errorf("address %d is %s, want %s", index, got, want)
		}
	}
}

func TestFamilies(t *testing.T) {
	for name, c := range map[string]struct {
		topology Topology
		want     []bool // of each address: IPv6
	}{
		"IPv4":       {Topology{}, []bool{false}},
		"dual stack": {Topology{DualStack: true}, []bool{false, true}},
		"IPv6":       {Topology{IPv6Only: true}, []bool{true}},
	} {
		c.topology.Namespaces, c.topology.PodsPerNamespace, c.topology.Local = 1, 1, -1
		plan, err := NewPlan(1, c.topology, "here")
		if err != nil {
			t.Fatal(err)
		}
		var got []bool
		for _, ip := range plan.State().LocalPods()[0].IPs {
			got = append(got, ip.Is6())
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: addresses are IPv6: %v, want %v", name, got, c.want)
		}
	}
}

func TestNamesTellParts(t *testing.T) {
	plan, err := NewPlan(7, Topology{RemoteNodes: 1, Namespaces: 27, PodsPerNamespace: 2, Local: 27}, "here")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	for _, p := range s.Pods().All() {
		want := p.Labels["role"]
		if p.Node != s.LocalNode {
			want += "-remote"
		}
		if part, number := partOf(p.Name); part != want || number < 0 {
			t.Errorf("%s has the role %s on %s", p.Name, p.Labels["role"], p.Node)
		}
	}
	ring := plan.Ring(s)
	if first, last := ring[0].Name, ring[53].Name; first != "web-remote-0" || last != "api-53" {
		t.Errorf("the ring begins with %s and ends with %s", first, last)
	}
	given := ring[0]
	given.Name = "client-remote"
	if next, err := plan.Successor(given); err != nil || next.Name != "client-remote-54" {
		t.Errorf("the successor of %s is %s, %v", given.Name, next.Name, err)
	}
	if names := s.Namespaces().List(); names[0].Name != "fv-7-team-a" || names[1].Name != "fv-7-team-a-1" || names[26].Name != "fv-7-team-z" {
		t.Errorf("namespaces %v", names)
	}
}
