package workloads

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestClassesAreNotToldApart wants pods of one class to be treated alike by all other pods, under policies of every kind.
func TestClassesAreNotToldApart(t *testing.T) {
	plan, err := NewPlan(1, Topology{RemoteNodes: 2, Namespaces: 4, PodsPerNamespace: 12, Local: 24}, "here")
	if err != nil {
		t.Fatal(err)
	}
	pick := func(key, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	peers := []networkingv1.NetworkPolicyPeer{
		{PodSelector: pick("role", roles[0])},
		{NamespaceSelector: pick("team", "a")},
		{NamespaceSelector: pick(metadataName, "fv-1-team-b"), PodSelector: pick("shard", "1")},
		{IPBlock: &networkingv1.IPBlock{CIDR: "10.128.0.0/27", Except: []string{"10.128.0.8/30"}}},
	}
	for seed := range uint64(20) {
		r, s := rand.New(rand.NewPCG(seed, 0)), plan.State()
		for ns, n := range s.Namespaces().All() {
			n.Labels = map[string]string{"team": []string{"a", "b"}[r.IntN(2)]}
			s.Put(n)
			if r.IntN(2) == 0 {
				continue
			}
			k := Key{ns.Name, "p"}
			s.Put(Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
				PodSelector: *pick("shard", []string{"0", "1"}[r.IntN(2)]),
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: peers[r.IntN(4):][:1]}},
				Egress:      []networkingv1.NetworkPolicyEgressRule{{To: peers[r.IntN(4):][:1]}},
			}})
		}
		for i, key := range s.Pods().Keys() {
			p := s.Pods().Get(key)
			p.Labels = map[string]string{"role": roles[i%2], "shard": []string{"0", "1"}[r.IntN(2)]}
			s.Put(p)
		}
		classOf, first := s.Classes(), map[string]Pod{}
		end := func(p Pod) Endpoint { return Endpoint{Pod: p.Key, Addr: p.IPs[0]} }
		for _, key := range s.Pods().Keys() {
			p := s.Pods().Get(key)
			like, known := first[classOf(p)]
			if !known {
				first[classOf(p)] = p
				continue
			}
			for _, other := range s.Pods().All() {
				if other.Key == p.Key || other.Key == like.Key {
					continue
				}
				for _, pair := range [][2]Decision{
					{s.Passes(end(p), end(other), corev1.ProtocolTCP, 80), s.Passes(end(like), end(other), corev1.ProtocolTCP, 80)},
					{s.Passes(end(other), end(p), corev1.ProtocolTCP, 80), s.Passes(end(other), end(like), corev1.ProtocolTCP, 80)},
				} {
					if pair[0].Allowed != pair[1].Allowed {
						t.Fatalf("seed %d: %s and %s are of one class; with %s: %+v", seed, p, like, other, pair)
					}
				}
			}
		}
		if len(first) == s.Pods().Len() {
			t.Errorf("seed %d: every pod is a class of its own", seed)
		}
	}
	s := plan.State()
	p := s.LocalPods()[0]
	q := p
	q.IPs = append(q.IPs, netip.MustParseAddr("fd00::1"))
	if classOf := s.Classes(); classOf(p) == classOf(q) {
		t.Error("pods of one family and of two are of one class")
	}
}
