package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// standingPolicies is how many policies are in force while they churn.
const standingPolicies = 10

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "policy churn",
		Doc:      "Ten policies of one to ten rules, drawn from the seed, are in force; each cycle the oldest goes and a new one comes.",
		Labels:   []engine.Label{Churn, Policy},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 4, PodsPerNamespace: 10, Local: 20}),
		Steps: []engine.Step{
			{Name: "fill", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for i := range standingPolicies {
					policies = append(policies, drawPolicy(w, i))
				}
				return w.Fleet.AddPolicies(ctx, policies)
			}},
			{Name: "churn", Repeat: or(p.Cycles, 10), Do: func(ctx context.Context, w *engine.World) error {
				oldest := policyKeys(w.Fleet.State())[0]
				if err := w.Fleet.RemovePolicies(ctx, []workloads.Key{oldest}); err != nil {
					return err
				}
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{drawPolicy(w, standingPolicies+w.Cycle-1)})
			}},
		},
	}
})

// policyKeys lists the policies in the order of their names, which is that of their making.
func policyKeys(s workloads.State) []workloads.Key {
	return slices.SortedFunc(slices.Values(s.Policies().Keys()), func(a, b workloads.Key) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
	})
}

// drawPolicy draws the policy of that number: a namespace, the pods that it selects, and one to ten rules.
func drawPolicy(w *engine.World, number int) workloads.Policy {
	namespaces := w.Fleet.State().Namespaces().List()
	spec := networkingv1.NetworkPolicySpec{
		PodSelector: drawSelector(w.Rand, w.Fleet.State()),
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
	}
	for range 1 + w.Rand.IntN(10) {
		peer := drawSelector(w.Rand, w.Fleet.State())
		rule := networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &peer}}}
		if w.Rand.IntN(2) == 0 {
			rule.From[0].NamespaceSelector = &metav1.LabelSelector{}
		}
		if w.Rand.IntN(3) > 0 {
			rule.Ports = []networkingv1.NetworkPolicyPort{drawPort(w.Rand)}
		}
		spec.Ingress = append(spec.Ingress, rule)
	}
	return workloads.Policy{
		Key:  workloads.Key{Namespace: namespaces[w.Rand.IntN(len(namespaces))].Name, Name: fmt.Sprintf("policy-%06d", number)},
		Spec: spec,
	}
}

// drawSelector draws a selector that matches some pods' labels: one label of one pod, by value or by presence.
func drawSelector(r *rand.Rand, s workloads.State) metav1.LabelSelector {
	pods := s.Pods().List()
	pod := pods[r.IntN(len(pods))]
	keys := slices.Sorted(maps.Keys(pod.Labels))
	if len(keys) == 0 || r.IntN(5) == 0 {
		return metav1.LabelSelector{}
	}
	key := keys[r.IntN(len(keys))]
	if r.IntN(4) == 0 {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: key, Operator: metav1.LabelSelectorOpNotIn, Values: []string{pod.Labels[key]},
		}}}
	}
	return metav1.LabelSelector{MatchLabels: map[string]string{key: pod.Labels[key]}}
}

// drawPort draws a port that the pods listen on, one that they do not, or a range over both.
func drawPort(r *rand.Rand) networkingv1.NetworkPolicyPort {
	tcp := corev1.ProtocolTCP
	port := intstr.FromInt32([]int32{int32(effects.Ports[0]), int32(effects.Ports[1]), 7070}[r.IntN(3)])
	p := networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: &port}
	if r.IntN(4) == 0 {
		end := port.IntVal + 1500
		p.EndPort = &end
	}
	return p
}
