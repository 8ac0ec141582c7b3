package workloads

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestIndexAgreesWithOracle compares the index with the oracle's own matching, pod by pod.
func TestIndexAgreesWithOracle(t *testing.T) {
	plan, err := NewPlan(1, Topology{RemoteNodes: 1, Namespaces: 3, PodsPerNamespace: 8, Local: 9}, "n")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	const home = "fv-1-ns-1"
	label := func(k, v string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{k: v}}
	}
	bad := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: "Loves"}}}
	for i, c := range []struct {
		peer networkingv1.NetworkPolicyPeer
		want int
	}{
		{networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}, 8},
		{networkingv1.NetworkPolicyPeer{PodSelector: label("role", "web")}, 2},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}}, 24},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: label("team", "c"), PodSelector: label("role", "db")}, 2},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: label(metadataName, "fv-1-ns-0")}, 8},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: bad}, 0},
		{networkingv1.NetworkPolicyPeer{PodSelector: bad}, 0},
		{networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}, 0},
	} {
		selected := NewIndex(s).Selected(home, c.peer)
		if len(selected) != c.want {
			t.Errorf("peer %d selects %d pods, want %d", i, len(selected), c.want)
		}
		for k := range s.Pods {
			in := slices.ContainsFunc(selected, func(p Pod) bool { return p.Key == k })
			if c.peer.IPBlock == nil && in != s.peerMatches(c.peer, home, Endpoint{Pod: k}) {
				t.Errorf("peer %d: pod %s is in: %v, the oracle says otherwise", i, k, in)
			}
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
		k := Key{"fv-1-ns-0", name}
		s.Policies[k] = Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"role": role}}, PolicyTypes: types,
		}}
	}
	add("b", "web", networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
	add("a", "web")
	add("c", "api")
	names := func(k Key, kind networkingv1.PolicyType) (all []string) {
		for _, p := range NewIndex(s).Applying(s.Pods[k], kind) {
			all = append(all, p.Name)
		}
		return all
	}
	web := Key{"fv-1-ns-0", "pod-0000000"}
	if got := names(web, networkingv1.PolicyTypeIngress); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("ingress %v", got)
	}
	if got := names(web, networkingv1.PolicyTypeEgress); !slices.Equal(got, []string{"b"}) {
		t.Errorf("egress %v", got)
	}
	if got := names(Key{"fv-1-ns-1", "pod-0000004"}, networkingv1.PolicyTypeIngress); got != nil {
		t.Errorf("in another namespace %v", got)
	}
}
