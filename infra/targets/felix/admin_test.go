package felix

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// administered is the state in which the dumps in testdata/admin were taken from a real Felix v3.31.0.
func administered(t *testing.T) workloads.State {
	t.Helper()
	plan, err := workloads.NewPlan(7, workloads.Topology{RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 4, Local: 6, DualStack: true}, "fv-local")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/admin/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		NetworkPolicies []networkingv1.NetworkPolicy
		AdminPolicies   []policyv1alpha1.AdminNetworkPolicy
		Baseline        []policyv1alpha1.BaselineAdminNetworkPolicy
	}
	if err := yaml.UnmarshalStrict(data, &all); err != nil {
		t.Fatal(err)
	}
	s := asRecorded(plan)
	for _, p := range all.NetworkPolicies {
		k := workloads.Key{Namespace: p.Namespace, Name: p.Name}
		s.Put(workloads.Policy{Key: k, Spec: p.Spec})
	}
	for _, p := range all.AdminPolicies {
		s.Put(workloads.AdminPolicy{Name: p.Name, Spec: p.Spec})
	}
	for _, p := range all.Baseline {
		s.Put(workloads.BaselinePolicy{Name: p.Name, Spec: p.Spec})
	}
	return s
}

var adminPlanes = []string{"iptables-nft", "nftables"}

func TestFelixProgrammedAdminPolicies(t *testing.T) {
	for _, plane := range adminPlanes {
		f, s := felix{targets.Options{DataPlane: plane}}, administered(t)
		want, got := f.Programmed(s), f.Observed(s, readKernel(t, f, s, filepath.Join("testdata/admin", plane)))
		if len(want) < 500 {
			t.Errorf("%s: only %d facts", plane, len(want))
		}
		if d := differences(want, got); len(d) > 0 {
			t.Errorf("%s: %d differences:\n%s", plane, len(d), strings.Join(d, "\n"))
		}
	}
}

// TestEachAdminPolicyCounts changes the state in one way at a time: the dumps must not agree with any of the others.
func TestEachAdminPolicyCounts(t *testing.T) {
	admin := func(s *workloads.State, name string, change func(*policyv1alpha1.AdminNetworkPolicySpec)) {
		p := s.AdminPolicies().Named(name)
		p.Spec.Ingress, p.Spec.Egress = slices.Clone(p.Spec.Ingress), slices.Clone(p.Spec.Egress)
		change(&p.Spec)
		s.Put(p)
	}
	for name, change := range map[string]func(*workloads.State){
		"another priority": func(s *workloads.State) {
			admin(s, "actions", func(p *policyv1alpha1.AdminNetworkPolicySpec) { p.Priority = 16 })
		},
		"another action": func(s *workloads.State) {
			admin(s, "actions", func(p *policyv1alpha1.AdminNetworkPolicySpec) { p.Ingress[0].Action = "Allow" })
		},
		"other rules first": func(s *workloads.State) {
			admin(s, "actions", func(p *policyv1alpha1.AdminNetworkPolicySpec) { slices.Reverse(p.Ingress) })
		},
		"one network less": func(s *workloads.State) {
			admin(s, "networks", func(p *policyv1alpha1.AdminNetworkPolicySpec) {
				p.Egress[0].To[0].Networks = p.Egress[0].To[0].Networks[1:]
			})
		},
		"no policy without rules": func(s *workloads.State) { s.Remove(workloads.AdminKind.Named("without-rules")) },
		"no name of a port":       func(s *workloads.State) { s.Remove(workloads.AdminKind.Named("name-of-a-port")) },
		"no nodes in what is lost": func(s *workloads.State) {
			admin(s, "lost", func(p *policyv1alpha1.AdminNetworkPolicySpec) { p.Egress = p.Egress[1:] })
		},
		"no baseline": func(s *workloads.State) { s.Clear(workloads.BaselineKind) },
	} {
		for _, plane := range adminPlanes {
			f, s := felix{targets.Options{DataPlane: plane}}, administered(t)
			k := readKernel(t, f, s, filepath.Join("testdata/admin", plane))
			change(&s)
			if maps.Equal(f.Programmed(s), f.Observed(s, k)) {
				t.Errorf("%s: %s makes no difference", plane, name)
			}
		}
	}
}

// TestDeniedIsNamed breaks the recorded kernel where an admin policy denies.
func TestDeniedIsNamed(t *testing.T) {
	for _, plane := range adminPlanes {
		f, s := felix{targets.Options{DataPlane: plane}}, administered(t)
		k := readKernel(t, f, s, filepath.Join("testdata/admin", plane))
		id := chainOf(t, f, s, k, "policy AdminNetworkPolicy networks egress IPv4")
		if n := remove(k, id, "mark 0x40000/0x40000: drop"); n != 1 {
			t.Fatalf("%s: %d rules were removed", plane, n)
		}
		d := differences(f.Programmed(s), f.Observed(s, k))
		if len(d) != 1 || !strings.HasPrefix(d[0], "policy AdminNetworkPolicy networks egress IPv4: mark 0x40000/0x40000: drop: want") {
			t.Errorf("%s: %v", plane, d)
		}
	}
}

// TestNotationThatFelixCannotRead wants the model to know what Felix makes of networks that are written as it can't read them.
func TestNotationThatFelixCannotRead(t *testing.T) {
	s := workloads.NewState("here")
	k := workloads.Key{Namespace: "ns", Name: "blocks"}
	peer := func(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
	}
	for name, c := range map[string]struct {
		peer networkingv1.NetworkPolicyPeer
		want []string
	}{
		"as usual":           {peer("10.1.0.0/16", "10.1.2.0/24"), []string{"from 10.1.0.0/16", "from 10.1.2.0/24"}},
		"zeros":              {peer("010.1.0.0/16", "10.1.2.0/24"), nil},
		"zeros in exception": {peer("10.1.0.0/16", "10.1.1.0/24", "010.1.2.0/24", "10.1.3.0/24"), []string{"from 10.1.0.0/16", "from 10.1.1.0/24"}},
		"IPv4 within IPv6":   {peer("::ffff:10.1.0.0/112"), []string{"from 10.1.0.0/16"}},
	} {
		s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{c.peer}}}}})
		ruleset := workloads.State{}.Moved(s)[workloads.Part{Kind: workloads.NetworkKind, Key: k}].(*workloads.Ruleset)
		var got []string
		for _, r := range wantedRules(workloads.NewIndex(s), ruleset, felixWays[0], kernel.IPv4, map[string]*wantedSet{}) {
			for _, w := range r.Where {
				if strings.HasPrefix(w, "from ") {
					got = append(got, w)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestRulesOfClusterPolicies wants Felix's model to take the rules of a ClusterNetworkPolicy as they are, names of ports among them, but for those
// that Calico can't read: of these it leaves out what accepts, and denies everything in place of the others.
func TestRulesOfClusterPolicies(t *testing.T) {
	type (
		rule = policyv1alpha2.ClusterNetworkPolicyEgressRule
		peer = policyv1alpha2.ClusterNetworkPolicyEgressPeer
	)
	all := &metav1.LabelSelector{}
	read := rule{Action: "Accept", To: []peer{{Namespaces: all}}, Protocols: []policyv1alpha2.ClusterNetworkPolicyProtocol{{DestinationNamedPort: "http"}}}
	unread := func(action policyv1alpha2.ClusterNetworkPolicyRuleAction) rule {
		return rule{Action: action, To: []peer{{Namespaces: all}, {Nodes: all}}}
	}
	in, out := networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	for name, c := range map[string]struct {
		rules   []rule
		actions []workloads.Action
		all     bool // the first is for everything
		holds   []bool
	}{
		"read":              {[]rule{read}, []workloads.Action{"Allow"}, false, []bool{false, true}},
		"accepts":           {[]rule{unread("Accept"), read}, []workloads.Action{"Allow"}, false, []bool{false, true}},
		"accepts alone":     {[]rule{unread("Accept")}, nil, false, []bool{true, true}},
		"denies":            {[]rule{unread("Deny"), read}, []workloads.Action{"Deny", "Allow"}, true, []bool{false, true}},
		"passes":            {[]rule{unread("Pass")}, []workloads.Action{"Deny"}, true, []bool{false, true}},
		"without any rules": {nil, nil, false, []bool{true, true}},
	} {
		s := workloads.NewState("here")
		s.Put(workloads.ClusterPolicy{Name: "p", Spec: policyv1alpha2.ClusterNetworkPolicySpec{Tier: "Baseline", Egress: c.rules}})
		p := s.Rulesets()[0]
		got := converted(p, out)
		var actions []workloads.Action
		for _, r := range got {
			actions = append(actions, r.Action)
		}
		if lost(p) || !slices.Equal(actions, c.actions) || !slices.Equal([]bool{holds(p, in), holds(p, out)}, c.holds) {
			t.Errorf("%s: lost %v, rules %+v, holds %v and %v", name, lost(p), got, holds(p, in), holds(p, out))
		}
		if len(got) > 0 && c.all != (len(got[0].Peers)+len(got[0].Ports) == 0) {
			t.Errorf("%s: the first rule is %+v", name, got[0])
		}
	}
}

// TestPortOfAnyProtocol wants a port by its name alone to mean what pods call so by whatever protocol.
func TestPortOfAnyProtocol(t *testing.T) {
	ip := netip.MustParseAddr("10.128.0.1")
	pods := []workloads.Pod{{IPs: []netip.Addr{ip}, Ports: []workloads.NamedPort{{Name: "a", Protocol: "TCP", Port: 1}, {Name: "a", Protocol: "UDP", Port: 2}, {Name: "b", Protocol: "UDP", Port: 3}}}}
	for proto, want := range map[string][]string{"": {"10.128.0.1 tcp 1", "10.128.0.1 udp 2"}, "udp": {"10.128.0.1 udp 2"}, "sctp": nil} {
		if got := slices.Sorted(maps.Keys(newPortSet("", pods, proto, "a").members[kernel.IPv4])); !slices.Equal(got, want) {
			t.Errorf("%q: %v", proto, got)
		}
	}
}

// TestPeersByNamespacesAlone wants a peer that a cluster-wide policy means by its namespaces alone not to share the set of the same pods meant by a
// NetworkPolicy, or by their labels as well, and these two to share theirs.
func TestPeersByNamespacesAlone(t *testing.T) {
	all := &metav1.LabelSelector{}
	s := workloads.NewState("here")
	key := workloads.Key{Namespace: "a", Name: "np"}
	s.Put(workloads.Policy{Key: key, Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: all}}}}}})
	s.Put(workloads.ClusterPolicy{Name: "cnp", Spec: policyv1alpha2.ClusterNetworkPolicySpec{Tier: "Admin", Ingress: []policyv1alpha2.ClusterNetworkPolicyIngressRule{
		{Action: "Deny", From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{{Namespaces: all}, {Pods: &policyv1alpha2.NamespacedPod{}}}},
	}}})
	sets := map[string]*wantedSet{}
	for _, p := range s.Rulesets() {
		wantedRules(workloads.NewIndex(s), p, felixWays[0], kernel.IPv4, sets)
	}
	if len(sets) != 2 {
		t.Errorf("%d sets: %v", len(sets), slices.Sorted(maps.Keys(sets)))
	}
}
