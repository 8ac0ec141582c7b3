package scenarios

import (
	"context"
	"maps"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Each operator of a selector, for peers and for whom a policy holds. Of the server's five peers its namespace's local client has no role.
var _ = onInput("input: selector operators", "A policy selects its peers, and those for whom it holds, by each operator; a pod without the label is not in, and is in what says not in.",
	move{"take a role away", effects.Moves{Connections: 1}, func(ctx context.Context, w *engine.World) error {
		bare := w.Fleet.State().Pods().Get(onStage(w, 0, localClient).Key)
		bare.Labels = maps.Clone(bare.Labels)
		delete(bare.Labels, "role")
		return w.Fleet.RelabelPods(ctx, []workloads.Pod{bare})
	}},
	move{"not in", effects.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].PodSelector = match("role", metav1.LabelSelectorOpNotIn, "client")
	})},
	move{"exists, anywhere", effects.Moves{Connections: 5}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0] = networkingv1.NetworkPolicyPeer{PodSelector: match("role", metav1.LabelSelectorOpExists), NamespaceSelector: everything()}
	})},
	move{"does not exist, anywhere", effects.Moves{Connections: 5}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0] = networkingv1.NetworkPolicyPeer{PodSelector: match("role", metav1.LabelSelectorOpDoesNotExist), NamespaceSelector: everything()}
	})},
	move{"in", effects.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].PodSelector = match("role", metav1.LabelSelectorOpIn, "client", "nobody")
	})},
	// No namespace has the label.
	move{"namespaces not in", effects.Moves{Connections: 4}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0] = networkingv1.NetworkPolicyPeer{NamespaceSelector: match("colour", metav1.LabelSelectorOpNotIn, "red", "green")}
	})},
	// Of the client's twenty flows one is left, each time.
	move{"for those without", effects.Moves{Connections: 19}, holdFor(match("role", metav1.LabelSelectorOpDoesNotExist))},
	move{"open", effects.Moves{Connections: 19}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State())[:1])
	}},
	move{"for those not in", effects.Moves{Connections: 19}, holdFor(match("role", metav1.LabelSelectorOpNotIn, "server", "nobody"))},
)

// match selects by one operator.
func match(key string, operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
}

// holdFor adds the stage's policy for other pods. To change it so that it selects others would be another input.
func holdFor(selected *metav1.LabelSelector) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		p := guard(w)
		p.Name, p.Spec.PodSelector = "also", *selected
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{p})
	}
}
