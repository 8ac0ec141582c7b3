package engine

import (
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// mixed has local pods of each family and both, one that waits for its veth and one without an address, and remote pods, wired
// and not.
func mixed() workloads.State {
	s := workloads.NewState("here")
	s.Namespaces["a"] = workloads.Namespace{Name: "a"}
	v4, v6 := netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("fd00:f00d::1")
	add := func(name, node string, wired, bare bool, ips ...netip.Addr) {
		k := workloads.Key{Namespace: "a", Name: name}
		s.Pods[k] = workloads.Pod{Key: k, Node: node, Wired: wired, Bare: bare, IPs: ips}
	}
	add("four", "here", false, false, v4)
	add("six", "here", false, false, v6.Next())
	add("dual", "here", false, false, v4.Next(), v6)
	add("bare", "here", false, true, v4.Next().Next())
	add("cleared", "here", false, false)
	add("wired", "there", true, false, v4.Next().Next().Next())
	add("wired2", "there", true, false, v4.Next().Next().Next().Next())
	add("remote", "there", false, false, v4.Next().Next().Next().Next().Next())
	return s
}

func TestFlowsAreThoseThatCanBe(t *testing.T) {
	got := map[string]int{}
	for _, f := range sampleFlows(mixed()) {
		family := ""
		if f.V6 {
			family = " v6"
		}
		got[f.From.Name+" > "+f.To.Name+family]++
	}
	want := []string{"four > dual", "dual > four", "six > dual v6", "dual > six v6"}
	for _, remote := range []string{"wired", "wired2"} {
		for _, local := range []string{"four", "dual"} {
			want = append(want, local+" > "+remote, remote+" > "+local)
		}
	}
	for _, flow := range want {
		if got[flow] != len(Ports)*len(Protocols) {
			t.Errorf("%s is tried in %d ways", flow, got[flow])
		}
		delete(got, flow)
	}
	if len(got) > 0 {
		t.Errorf("tried as well: %v", got)
	}
}

func TestPredictions(t *testing.T) {
	s := mixed()
	if got := (Routes{}).Want(s); len(got) != 4 || got["10.128.0.3/32"] != "" {
		t.Errorf("routes: %v", got)
	}
	if got := (Gauges{}).Want(s); got["endpoints"] != "7" || got["local_endpoints"] != "4" {
		t.Errorf("gauges: %v", got)
	}
	// A policy that closes all pods holds on the local node alone.
	k := workloads.Key{Namespace: "a", Name: "closed"}
	s.Policies[k] = workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{}}
	facts := Connections{}.Want(s)
	for flow, want := range map[string]Outcome{"a/four > a/wired tcp/8080": Connected, "a/wired > a/four tcp/8080": Dropped, "a/four > a/dual tcp/8080": Dropped, "a/four > a/dual udp/9090": Dropped} {
		if facts[flow] != string(want) {
			t.Errorf("%s: %q", flow, facts[flow])
		}
	}
}
