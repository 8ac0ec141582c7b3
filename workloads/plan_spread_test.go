package workloads

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestPlanSpreads(t *testing.T) {
	for _, topology := range []Topology{
		{Namespaces: 1, PodsPerNamespace: 1, Local: -1},
		{RemoteNodes: 3, Namespaces: 7, PodsPerNamespace: 11, Local: 20, DualStack: true},
		{RemoteNodes: 9, Namespaces: 1000, PodsPerNamespace: 10, Local: 100},
		{RemoteNodes: 2, Namespaces: 5, PodsPerNamespace: 3, Local: 0},
		{RemoteNodes: 2, Namespaces: 5, PodsPerNamespace: 3, Local: 15},
	} {
		t.Run(fmt.Sprintf("%+v", topology), func(t *testing.T) {
			plan, err := NewPlan(7, topology, "here")
			if err != nil {
				t.Fatal(err)
			}
			checkSpread(t, topology, plan.State())
		})
	}
}

func checkSpread(t *testing.T, topology Topology, s State) {
	t.Helper()
	total, local := topology.Namespaces*topology.PodsPerNamespace, topology.Local
	if local < 0 {
		local = total
	}
	if s.Nodes().Len() != topology.RemoteNodes+1 || s.Namespaces().Len() != topology.Namespaces || s.Pods().Len() != total || len(s.LocalPods()) != local {
		t.Fatalf("%d nodes, %d namespaces, %d pods, %d local", s.Nodes().Len(), s.Namespaces().Len(), s.Pods().Len(), len(s.LocalPods()))
	}
	taken, onNode, localIn := map[netip.Addr]bool{}, map[string]int{}, map[string]int{}
	for _, p := range s.Pods().All() {
		onNode[p.Node]++
		if p.Node == s.LocalNode {
			localIn[p.Namespace]++
		}
		for i, ip := range p.IPs {
			if taken[ip] || !InPool(fmt.Sprintf("%s/%d", ip, ip.BitLen())) || ip.Is4() != (i == 0) {
				t.Errorf("%s: address %s is taken, out of the pools or out of order", p, ip)
			}
			taken[ip] = true
		}
	}
	if want := total * (1 + map[bool]int{true: 1}[topology.DualStack]); len(taken) != want {
		t.Errorf("%d addresses, want %d", len(taken), want)
	}
	for name, node := range s.Nodes().All() {
		if even := (total - local) / max(1, topology.RemoteNodes); !node.Local && (onNode[name.Name] < even || onNode[name.Name] > even+1) {
			t.Errorf("node %s has %d pods, want %d or one more", name, onNode[name.Name], even)
		}
	}
	for name := range s.Namespaces().All() {
		if even := local / topology.Namespaces; localIn[name.Name] < even || localIn[name.Name] > even+1 {
			t.Errorf("namespace %s has %d local pods, want %d or one more", name, localIn[name.Name], even)
		}
	}
}

func TestSeedNames(t *testing.T) {
	topology := Topology{Namespaces: 3, PodsPerNamespace: 4, Local: -1}
	one, _ := NewPlan(1, topology, "here")
	two, _ := NewPlan(2, topology, "here")
	if one.State().Equal(two.State()) {
		t.Error("two seeds gave the same names")
	}
}

func TestSuccessors(t *testing.T) {
	plan, err := NewPlan(1, Topology{Namespaces: 2, PodsPerNamespace: 3, Local: -1, DualStack: true}, "here")
	if err != nil {
		t.Fatal(err)
	}
	s, used := plan.State(), map[netip.Addr]bool{}
	for _, p := range s.Pods().All() {
		used[p.IPs[0]], used[p.IPs[1]] = true, true
	}
	for range 10 {
		old := plan.Ring(s)[0]
		next, err := plan.Successor(old)
		if err != nil {
			t.Fatal(err)
		}
		oldPart, oldNumber := partOf(old.Name)
		part, number := partOf(next.Name)
		if next.Namespace != old.Namespace || next.Node != old.Node || part != oldPart || number <= oldNumber || used[next.IPs[0]] || used[next.IPs[1]] {
			t.Fatalf("successor of %+v is %+v", old, next)
		}
		used[next.IPs[0]], used[next.IPs[1]] = true, true
		s.Remove(PodKind.Part(old.Key))
		s.Put(next)
	}
	plan.next = maxPods
	if _, err := plan.Successor(plan.Ring(s)[0]); err == nil || !strings.Contains(err.Error(), "used up") {
		t.Errorf("no address is left, got %v", err)
	}
}

func TestPools(t *testing.T) {
	for _, c := range []struct {
		pool  netip.Prefix
		index int
		want  string
	}{{PoolV6, 1, "fd00:f00d::1"}, {PoolV6, 65536, "fd00:f00d::1:0"}, {PoolV6, maxPods, "fd00:f00d::3f:fffe"}, {poolNode, maxNodes, "198.18.255.254"}} {
		if got := address(c.pool, c.index); got.String() != c.want || !c.pool.Contains(got) {
			t.Errorf("%s #%d: got %s, want %s", c.pool, c.index, got, c.want)
		}
	}
	for prefix, want := range map[string]bool{"10.128.0.0/10": true, "10.127.255.255/32": false, "fd00:f00d::5/128": true, "198.18.0.1/32": false, "default": false} {
		if got := InPool(prefix); got != want {
			t.Errorf("%s: got %v", prefix, got)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for want, topology := range map[string]Topology{
		"choose one":                                {Namespaces: 1, PodsPerNamespace: 1, Local: -1, DualStack: true, IPv6Only: true},
		"0 namespaces of 1 pods":                    {PodsPerNamespace: 1},
		"2 namespaces of -1 pods":                   {Namespaces: 2, PodsPerNamespace: -1},
		"-1 nodes: there must be at least one":      {RemoteNodes: -2, Namespaces: 1, PodsPerNamespace: 1},
		"70001 nodes: there are addresses":          {RemoteNodes: 70000, Namespaces: 1, PodsPerNamespace: 1},
		"addresses for 4194302 pods":                {Namespaces: 4194303, PodsPerNamespace: 1, Local: -1},
		"3037000500 namespaces of 3037000500 pods:": {Namespaces: 3037000500, PodsPerNamespace: 3037000500, Local: -1},
		"5 local pods of 4":                         {RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 2, Local: 5},
		"-2 local pods of 4":                        {RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 2, Local: -2},
		"there is no other node":                    {Namespaces: 2, PodsPerNamespace: 2, Local: 3},
	} {
		if _, err := NewPlan(1, topology, "here"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", topology, err, want)
		}
	}
}
