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
