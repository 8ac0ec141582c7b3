package effects

import (
	"context"
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// mixed has local pods of each family and both, one that waits for its veth and one without an address, and remote pods.
func mixed() workloads.State {
	s := workloads.NewState("here")
	s.Put(workloads.Namespace{Name: "a"})
	v4, v6 := netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("fd00:f00d::1")
	add := func(name, node string, bare bool, ips ...netip.Addr) {
		k := workloads.Key{Namespace: "a", Name: name}
		s.Put(workloads.Pod{Key: k, Node: node, Bare: bare, IPs: ips})
	}
	add("four", "here", false, v4)
	add("six", "here", false, v6.Next())
	add("dual", "here", false, v4.Next(), v6)
	add("bare", "here", true, v4.Next().Next())
	add("cleared", "here", false)
	add("far", "there", false, v4.Next().Next().Next())
	add("far2", "there", false, v4.Next().Next().Next().Next())
	return s
}

func TestFlowsAreThoseThatCanBe(t *testing.T) {
	got := map[string]int{}
	for _, f := range sampleFlows(mixed()) {
		family := ""
		if f.To.Addr.Is6() {
			family = " v6"
		}
		got[f.From.Name+" > "+f.To.Name+family]++
	}
	want := []string{"four > dual", "dual > four", "six > dual v6", "dual > six v6"}
	for _, remote := range []string{"far", "far2"} {
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
	if got := words((Routes{}).Want(s)); len(got) != 4 || got["10.128.0.3/32"] != "" {
		t.Errorf("routes: %v", got)
	}
	if got := words((Gauges{}).Want(s)); got["endpoints"] != "6" || got["local_endpoints"] != "4" {
		t.Errorf("gauges: %v", got)
	}
	// A policy that closes all pods holds on the local node alone.
	k := workloads.Key{Namespace: "a", Name: "closed"}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{}})
	facts := words(Connections{}.Want(s))
	for flow, want := range map[string]OutcomeKind{"a/four > a/far tcp/8080": Connected, "a/far > a/four tcp/8080": Dropped, "a/four > a/dual tcp/8080": Dropped, "a/four > a/dual udp/9090": Dropped} {
		if facts[flow] != string(want) {
			t.Errorf("%s: %q", flow, facts[flow])
		}
	}
}

func TestNodeFlowsFollowTheTarget(t *testing.T) {
	s := mixed()
	k := workloads.Key{Namespace: "a", Name: "closed"}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}}})
	addr := netip.MustParseAddr("172.17.0.2")
	const toPod, toNode, toFar, fromFar = "node > a/dual tcp/8080", "a/dual > node udp/9090", "node > a/far tcp/8080", "a/far > node tcp/8080"
	for _, c := range []struct {
		node Node
		want map[string]OutcomeKind
	}{
		{Node{Addr: addr, Sends: true}, map[string]OutcomeKind{toPod: Connected, toNode: Dropped, toFar: Connected, fromFar: Connected}},
		{Node{Addr: addr, Listens: true}, map[string]OutcomeKind{toPod: Connected, toNode: Connected, toFar: Connected, fromFar: Connected}},
	} { // a pod and its own node reach each other, though a policy closes it
		facts := words(NodeConnections{Node: c.node}.Want(s))
		for flow, want := range c.want {
			if facts[flow] != string(want) {
				t.Errorf("%+v: %s: %q", c.node, flow, facts[flow])
			}
		}
		if len(facts) != 2*2*len(Ports)*len(Protocols) {
			t.Errorf("%d facts: %v", len(facts), facts)
		}
	}
	s.Put(workloads.AdminPolicy{Name: "nodes", Spec: policyv1alpha1.AdminNetworkPolicySpec{
		Subject: policyv1alpha1.AdminNetworkPolicySubject{Namespaces: &metav1.LabelSelector{}},
		Egress:  []policyv1alpha1.AdminNetworkPolicyEgressRule{{Action: "Deny", To: []policyv1alpha1.AdminNetworkPolicyEgressPeer{{Nodes: &metav1.LabelSelector{}}}}},
	}})
	if facts := words(NodeConnections{Node: Node{Addr: addr, Listens: true}}.Want(s)); facts[toNode] != string(Dropped) || facts[toPod] != string(Connected) {
		t.Errorf("what is denied to nodes: %s to the node, %s from it", facts[toNode], facts[toPod])
	}
}

func TestSampleIsBounded(t *testing.T) {
	plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 9, Namespaces: 10, PodsPerNamespace: 100, Local: 100}, "here")
	if err != nil {
		t.Fatal(err)
	}
	ways := len(Ports) * len(Protocols)
	if got, want := len(sampleFlows(plan.State())), (SampledPods*(SampledPods-1)+2*SampledPods*SampledRemote)*ways; got != want {
		t.Errorf("%d flows, want %d", got, want)
	}
	small, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 1, Namespaces: 1, PodsPerNamespace: WholeCluster, Local: WholeCluster - 4}, "here")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(sampleFlows(small.State())), (WholeCluster*(WholeCluster-1)-4*3)*ways; got != want {
		t.Errorf("%d flows of a small cluster, want all %d", got, want)
	}
	if got := len(spread(plan.State().LocalPods(), 1)); got != 1 {
		t.Errorf("%d pods are one", got)
	}
}

func TestPodsThatShareAnAddressAreLeftOut(t *testing.T) {
	s := mixed()
	k := workloads.Key{Namespace: "a", Name: "twin"}
	s.Put(workloads.Pod{Key: k, Node: "there", IPs: s.Pods().Get(workloads.Key{Namespace: "a", Name: "dual"}).IPs[:1]})
	for _, f := range sampleFlows(s) {
		if f.From.Name == "dual" || f.To.Name == "dual" || f.From.Name == "twin" || f.To.Name == "twin" {
			t.Errorf("%s is tried", f)
		}
	}
	if got := words((Routes{}).Want(s)); len(got) != 3 || got["10.128.0.2/32"] != "" {
		t.Errorf("routes: %v", got)
	}
}

// noPlugger stands for the kernel.
type noPlugger struct{}

func (noPlugger) Plug(context.Context, []workloads.Plug) error  { return nil }
func (noPlugger) Unplug(context.Context, []workloads.Key) error { return nil }

// TestForgotten breaks what it looks for: a connection of an address that a pod had.
func TestForgotten(t *testing.T) {
	fleet := workloads.NewFleet(workloads.Config{
		Client: fake.NewClientset(), Plugger: noPlugger{}, HostInterface: func(_, pod string) string { return pod }, OneWrite: true,
	}, workloads.NewState("here"))
	ip := netip.MustParseAddr("10.128.0.1")
	pod := workloads.Pod{Key: workloads.Key{Namespace: "a", Name: "one"}, Node: "here", IPs: []netip.Addr{ip}}
	e := &Set{Kernel: machine{}, Tracked: func(asked func(netip.Addr) bool) (map[netip.Addr][]string, error) {
		if !asked(ip) || asked(ip.Next()) {
			t.Error("it does not ask for the pod's address, or for others")
		}
		return map[netip.Addr][]string{ip: {"tcp 10.128.0.1:1 > 10.128.0.2:2", "udp 10.128.0.1:3 > 10.128.0.2:4"}}, nil
	}}
	var p engine.Probe
	for _, one := range e.Always(&engine.World{Fleet: fleet, SUT: gauge{}}) {
		if _, is := one.(Forgotten); is {
			p = one
		}
	}
	if p == nil {
		t.Fatal("it is not among the effects")
	}
	if err := fleet.AddPods(t.Context(), []workloads.Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Got(t.Context(), fleet.State()); err != nil || len(got) > 0 {
		t.Errorf("while the pod is there: %v, %v", got, err)
	}
	if err := fleet.RemovePods(t.Context(), []workloads.Key{pod.Key}, workloads.Graceful); err != nil {
		t.Fatal(err)
	}
	got, err := p.Got(t.Context(), fleet.State())
	if err != nil || words(got)["connections of 10.128.0.1, which pod a/one had"] != "2, such as tcp 10.128.0.1:1 > 10.128.0.2:2" {
		t.Errorf("once it is gone: %v, %v", got, err)
	}
}

// words are facts by what they say.
func words(facts engine.Facts) map[string]string {
	said := map[string]string{}
	for fact, value := range facts {
		said[fact.String()] = value
	}
	return said
}

func TestFactsOfEachProbeHaveAnAspect(t *testing.T) {
	s, world := mixed(), gauge{metrics.InSync: 1}
	node := NodeConnections{Node: Node{Addr: netip.MustParseAddr("172.17.0.2")}}
	left := Residue{Baseline: []string{"lo"}, Links: func() ([]string, error) { return nil, nil }, Verify: func(context.Context) ([]string, error) { return []string{"pod a/b"}, nil }}
	api, err := left.Got(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		facts  engine.Facts
		aspect report.Aspect
		kind   report.Kind
	}{
		{InSync{world}.Want(s), report.Heard, report.Gauge}, {Gauges{world}.Want(s), report.Heard, report.Gauge}, {Routes{}.Want(s), report.Routes, report.Route},
		{Connections{}.Want(s), report.Packets, report.Flow}, {node.Want(s), report.Packets, report.Flow}, {left.Want(s), report.Links, report.Interface},
		{api, report.Heard, report.Object}, {Counts{Programmer: one{}}.Want(s), report.Counts, report.Gauge},
	} {
		if len(c.facts) == 0 {
			t.Errorf("no facts about %s", c.aspect)
		}
		for fact := range c.facts {
			if fact.Aspect != c.aspect || fact.Kind != c.kind || fact.Subject == "" {
				t.Errorf("%+v, want a %s about %s", fact, c.kind, c.aspect)
			}
		}
	}
	for fact := range (Connections{}).Want(s) {
		if got := fact.Subject + " " + fact.Part; got != fact.String() {
			t.Errorf("%s is told as %s", got, fact)
		}
	}
}
