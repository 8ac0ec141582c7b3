package fuzz

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/workloads"
)

// drawn are batches of a seed that rapid draws.
func drawn(t *rapid.T, wishes Wishes) [][]Op {
	g := NewGenerator(rapid.Uint64().Draw(t, "seed"), wishes)
	var batches [][]Op
	for range rapid.IntRange(1, 6).Draw(t, "batches") {
		batches = append(batches, g.Batch(Batch))
	}
	return batches
}

func TestSameSeedSameOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, wishes := rapid.Uint64().Draw(t, "seed"), Wishes{Restarts: rapid.Bool().Draw(t, "restarts"), Admin: rapid.Bool().Draw(t, "admin"), Cluster: rapid.Bool().Draw(t, "cluster")}
		a, b := NewGenerator(seed, wishes), NewGenerator(seed, wishes)
		for range 5 {
			if first, second := a.Batch(Batch), b.Batch(Batch); !reflect.DeepEqual(first, second) {
				t.Fatalf("%v and %v", first, second)
			}
		}
	})
}

// TestEveryOperationMeansSomething also wants operations to be whole as JSON, and every verb and shape to be drawn.
func TestEveryOperationMeansSomething(t *testing.T) {
	verbsSeen, shapes := map[Verb]int{}, map[string]int{}
	for seed := range uint64(20) {
		g, m := NewGenerator(seed, Wishes{Restarts: true, Admin: true, Cluster: true}), NewModel("here")
		for range 50 {
			for _, op := range g.Batch(Batch) {
				text, err := json.Marshal(op)
				var back Op
				if err == nil {
					err = json.Unmarshal(text, &back)
				}
				if err != nil || !reflect.DeepEqual(op, back) {
					t.Fatalf("%v becomes %v, %v", op, back, err)
				}
				if m.Apply(back) == nil {
					t.Fatalf("seed %d: %s means nothing", seed, text)
				}
				verbsSeen[op.Do]++
				shape(shapes, op)
			}
		}
	}
	for verb := range verbs {
		if verbsSeen[verb] == 0 && !strings.HasSuffix(string(verb), " object") { // see TestEveryKindIsDrawn
			t.Errorf("%q was never drawn", verb)
		}
	}
	for _, s := range []string{
		"In", "NotIn", "Exists", "DoesNotExist", "except", "IPv6 block", "port by name", "port range", "protocol alone", "port TCP", "port UDP", "port SCTP", "many ports",
		"isolation alone", "rule for all", "types by default", "both directions", "remote", "bare", "forced", "dual stack", "IPv6 alone", "named port", "UDP by name",
		"Admin", "Baseline", "Accept", "Deny", "Pass", "wide range", "wide number", "wide name", "networks",
	} {
		if shapes[s] == 0 {
			t.Errorf("%q was never drawn", s)
		}
	}
}

func shape(seen map[string]int, op Op) {
	seen["remote"] += one01(op.Node != "")
	seen["bare"] += one01(op.Bare)
	seen["forced"] += one01(op.Forced)
	seen["named port"] += len(op.Ports)
	seen["dual stack"] += one01(len(op.IPs) == 2)
	seen["IPv6 alone"] += one01(len(op.IPs) == 1 && op.IPs[0].Is6())
	if op.Wide != nil {
		wideShape(seen, *op.Wide)
	}
	if op.Spec == nil {
		return
	}
	seen["isolation alone"] += one01(len(op.Spec.Ingress)+len(op.Spec.Egress) == 0)
	seen["types by default"] += one01(op.Spec.PolicyTypes == nil)
	seen["both directions"] += one01(len(op.Spec.PolicyTypes) == 2)
	selectorShape(seen, &op.Spec.PodSelector)
	for _, r := range op.Spec.Ingress {
		ruleShape(seen, r.From, r.Ports)
	}
	for _, r := range op.Spec.Egress {
		ruleShape(seen, r.To, r.Ports)
	}
}

func ruleShape(seen map[string]int, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	seen["rule for all"] += one01(len(peers)+len(ports) == 0)
	seen["many ports"] += one01(len(ports) > 15)
	for _, peer := range peers {
		selectorShape(seen, peer.PodSelector)
		selectorShape(seen, peer.NamespaceSelector)
		if peer.IPBlock != nil {
			seen["except"] += len(peer.IPBlock.Except)
			seen["IPv6 block"] += one01(peer.IPBlock.CIDR[:2] == "fd")
		}
	}
	for _, port := range ports {
		if port.Protocol != nil {
			seen["port "+string(*port.Protocol)]++
		}
		seen["protocol alone"] += one01(port.Port == nil)
		seen["port by name"] += one01(port.Port != nil && port.Port.StrVal != "")
		seen["UDP by name"] += one01(port.Port != nil && port.Port.StrVal == "dns" && port.Protocol != nil && *port.Protocol == "UDP")
		seen["port range"] += one01(port.EndPort != nil)
	}
}

func wideShape(seen map[string]int, s wideSpec) {
	seen[string(s.Tier)]++
	protocols := func(all []policyv1alpha2.ClusterNetworkPolicyProtocol) {
		for _, p := range all {
			port := portOf(p)
			seen["wide name"] += one01(p.DestinationNamedPort != "")
			seen["wide range"] += one01(port != nil && port.Range != nil)
			seen["wide number"] += one01(port != nil && port.Number != 0)
		}
	}
	for _, r := range s.Ingress {
		seen[string(r.Action)]++
		protocols(r.Protocols)
	}
	for _, r := range s.Egress {
		seen[string(r.Action)]++
		protocols(r.Protocols)
		for _, p := range r.To {
			seen["networks"] += len(p.Networks)
		}
	}
}

// TestWideOfTheClusterAlone wants no kind of cluster-wide policies to be drawn that the cluster has not.
func TestWideOfTheClusterAlone(t *testing.T) {
	for w, want := range map[Wishes]map[workloads.Feature]bool{
		{}: {}, {Admin: true}: {workloads.AdminPolicies: true}, {Cluster: true}: {workloads.ClusterPolicies: true},
	} {
		got, g := map[workloads.Feature]bool{}, NewGenerator(1, w)
		for _, op := range g.Batch(500) {
			if d := workloads.Find(op.part().Kind); d != nil && d.Feature() != "" {
				got[d.Feature()] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%+v draws %v", w, got)
		}
	}
}

// TestEveryKindIsDrawn wants objects of each kind to come, to change and to go: who adds a kind can't forget the fuzzer.
func TestEveryKindIsDrawn(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(5) {
		for _, op := range NewGenerator(seed, Wishes{Admin: true, Cluster: true}).Batch(500) {
			f := familyOfOp(op)
			seen[string(f.kind)+map[Verb]string{f.add: " comes", f.change: " changes", f.remove: " goes"}[op.Do]] = true
		}
	}
	for _, d := range workloads.Kinds() {
		if _, own := familyOf(d.Kind()); !own && d.Feature() != "" {
			continue // see plainChoices
		}
		for _, what := range []string{" comes", " changes", " goes"} {
			if !seen[string(d.Kind())+what] && (d.Kind() != workloads.NodeKind || what != " changes") { // a node that changes is another
				t.Errorf("no %s%s", d.Kind(), what)
			}
		}
	}
}

// TestKnownIsLeftOut wants what is known to break an agent not to be drawn: see Wishes.
func TestKnownIsLeftOut(t *testing.T) {
	for _, known := range []bool{false, true} {
		seen := map[string]int{}
		for seed := range uint64(10) {
			g, m := NewGenerator(seed, Wishes{Admin: true, Cluster: true, Known: known}), NewModel("here")
			for range 50 {
				for _, op := range g.Batch(Batch) {
					before, was := m.said[op.part()]
					seen["twofold"] += one01(twofold(m.State, op))
					m.Apply(op)
					if op.Wide == nil {
						continue
					}
					names := map[string]int{}
					wideShape(names, *op.Wide)
					seen["name"] += one01(names["wide name"] > 0 && op.part().Kind != workloads.ClusterKind)
					if after := *op.Wide; was && len(before.Ingress) > 0 && len(before.Egress) > 0 {
						after.Ingress, after.Egress = before.Ingress, before.Egress
						seen["more than rules"] += one01(!reflect.DeepEqual(before, after))
					}
					seen["directions"] += one01(was && (len(before.Ingress) == 0) != (len(op.Wide.Ingress) == 0))
				}
			}
		}
		for _, what := range []string{"name", "more than rules", "directions", "twofold"} {
			if (seen[what] > 0) != known {
				t.Errorf("known %v: %q was drawn %d times", known, what, seen[what])
			}
		}
	}
}

// twofold evaluates each selector of namespaces for the labels before and after, and finds a policy of which the subject changes and a peer.
func twofold(s workloads.State, op Op) bool {
	before, there := s.Namespaces().Lookup(workloads.Key{Name: op.Namespace})
	if op.Do != RelabelNamespace || !there {
		return false
	}
	differs := func(p workloads.Peer) bool {
		if p.Namespaces == nil {
			return false
		}
		matches := func(of map[string]string) bool {
			all := labels.Set{corev1.LabelMetadataName: op.Namespace}
			maps.Copy(all, of)
			selector, err := metav1.LabelSelectorAsSelector(p.Namespaces)
			return err == nil && selector.Matches(all)
		}
		return matches(before.Labels) != matches(op.Labels)
	}
	for _, r := range s.Rulesets() {
		peers := slices.Concat(r.Rules(networkingv1.PolicyTypeIngress), r.Rules(networkingv1.PolicyTypeEgress))
		if differs(r.Subject) && slices.ContainsFunc(peers, func(rule workloads.Rule) bool { return slices.ContainsFunc(rule.Peers, differs) }) {
			return true
		}
	}
	return false
}

// TestPrioritiesAreUnique wants no two cluster-wide policies to have one priority: what that means is left open.
func TestPrioritiesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewModel("here")
		for _, ops := range drawn(t, Wishes{Cluster: true}) {
			for _, op := range ops {
				m.Apply(op)
				taken := map[int32]string{}
				for _, r := range m.Rulesets() {
					if other, is := taken[r.Priority]; is && r.Kind == workloads.ClusterKind {
						t.Fatalf("%s and %s have priority %d", other, r, r.Priority)
					}
					taken[r.Priority] = r.String()
				}
			}
		}
	})
}

func selectorShape(seen map[string]int, s *metav1.LabelSelector) {
	if s != nil {
		for _, r := range s.MatchExpressions {
			seen[string(r.Operator)]++
		}
	}
}

func one01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// TestNamesReturnLater wants no local pod to come back under its name in the batch in which its interface went.
func TestNamesReturnLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewModel("here")
		for _, ops := range drawn(t, Wishes{}) {
			gone := map[workloads.Key]bool{}
			for _, op := range ops {
				before := m.Clone()
				m.Apply(op)
				for k := range m.veths {
					if _, had := before.veths[k]; gone[k] && !had {
						t.Fatalf("%s is back at once", k)
					}
				}
				for k := range before.veths {
					if _, stays := m.veths[k]; !stays {
						gone[k] = true
					}
				}
			}
		}
	})
}
