package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "two isolated namespaces",
		Doc:      "Pods of two namespaces talk freely, then within their own namespace only, then freely again; packets prove each.",
		Labels:   []engine.Label{Basic, Policy},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 2, PodsPerNamespace: 2, Local: -1, DualStack: true}),
		Steps: []engine.Step{
			{Name: "isolate", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for ns := range w.Fleet.State().Namespaces().All() {
					policies = append(policies, isolation(ns.Name))
				}
				return w.Fleet.AddPolicies(ctx, policies)
			}},
			{Name: "open", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
			}},
		},
	}
})

// isolation lets the pods of a namespace hear those of the same namespace alone.
func isolation(namespace string) workloads.Policy {
	return workloads.Policy{
		Key: workloads.Key{Namespace: namespace, Name: "isolated"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
			}},
		},
	}
}
