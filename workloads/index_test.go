package workloads

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSelected(t *testing.T) {
	plan, err := NewPlan(1, Topology{RemoteNodes: 1, Namespaces: 3, PodsPerNamespace: 8, Local: 9}, "n")
	if err != nil {
		t.Fatal(err)
	}
	const home = "fv-1-team-b"
	bad := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: "Loves"}}}
	for name, c := range map[string]struct {
		peer networkingv1.NetworkPolicyPeer
		want int
	}{
		"all here":              {networkingv1.NetworkPolicyPeer{PodSelector: is()}, 8},
		"some here":             {networkingv1.NetworkPolicyPeer{PodSelector: is("role", "web")}, 2},
		"all":                   {networkingv1.NetworkPolicyPeer{NamespaceSelector: is()}, 24},
		"both":                  {networkingv1.NetworkPolicyPeer{NamespaceSelector: is("team", "c"), PodSelector: is("role", "db")}, 2},
		"namespace by name":     {networkingv1.NetworkPolicyPeer{NamespaceSelector: is(metadataName, "fv-1-team-a")}, 8},
		"namespaces of no sort": {networkingv1.NetworkPolicyPeer{NamespaceSelector: bad}, 0},
		"pods of no sort":       {networkingv1.NetworkPolicyPeer{PodSelector: bad}, 0},
		"a block":               {block("0.0.0.0/0"), 0},
	} {
		rule := networkRule(home, []networkingv1.NetworkPolicyPeer{c.peer}, nil)
		if got := NewIndex(plan.State()).Selected(rule.Peers[0]); len(got) != c.want {
			t.Errorf("%s: %d pods are selected, want %d", name, len(got), c.want)
		}
	}
}

func TestApplying(t *testing.T) {
	plan, err := NewPlan(1, Topology{Namespaces: 2, PodsPerNamespace: 4, Local: -1}, "n")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	add := func(name string, role string, types ...networkingv1.PolicyType) {
		k := Key{"fv-1-team-a", name}
		s.Put(Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"role": role}}, PolicyTypes: types,
		}})
	}
	add("b", "web", networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
	add("a", "web")
	add("c", "api")
	names := func(k Key, kind networkingv1.PolicyType) (all []string) {
		for _, p := range NewIndex(s).Applying(s.Pods().Get(k), kind) {
			all = append(all, p.Key.Name)
		}
		return all
	}
	web := Key{"fv-1-team-a", "web-0"}
	if got := names(web, networkingv1.PolicyTypeIngress); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("ingress %v", got)
	}
	if got := names(web, networkingv1.PolicyTypeEgress); !slices.Equal(got, []string{"b"}) {
		t.Errorf("egress %v", got)
	}
	if got := names(Key{"fv-1-team-b", "web-4"}, networkingv1.PolicyTypeIngress); got != nil {
		t.Errorf("in another namespace %v", got)
	}
}

// BenchmarkIndex asks about one connection, and makes the index of its state, of 1,000 pods under 100 policies.
func BenchmarkIndex(b *testing.B) {
	plan, err := NewPlan(1, Topology{Namespaces: 50, PodsPerNamespace: 20, Local: -1}, "n")
	if err != nil {
		b.Fatal(err)
	}
	s := plan.State()
	for name := range s.Namespaces().All() {
		for _, role := range []string{"web", "api"} {
			k := Key{name.Name, role}
			s.Put(Policy{Key: k, Spec: ingress(is("role", role), from(peer{NamespaceSelector: is("team", "b"), PodSelector: is("role", "db")}), through(on(tcp, 80)))})
		}
	}
	pods := s.LocalPods()
	b.Run("ask", func(b *testing.B) {
		x := NewIndex(s)
		for i := 0; b.Loop(); i++ {
			x.Allows(Endpoint{Pod: pods[i%len(pods)].Key}, Endpoint{Pod: pods[(7*i)%len(pods)].Key}, tcp, 80)
		}
	})
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			NewIndex(s)
		}
	})
}
