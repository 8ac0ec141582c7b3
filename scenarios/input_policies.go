package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The inputs of the calculation that concern policies.
var _, _, _, _ = onInput("input: policy selector changed", "A policy that selects nobody any more holds for nobody, and for the server again when it selects that again.",
	move{"select nobody", effects.Moves{Connections: 18}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.PodSelector = *label("role", "nobody") })},
	move{"select the server", effects.Moves{Connections: 18}, changeGuard(func(*networkingv1.NetworkPolicySpec) {})},
), onInput("input: policy ports changed", "The port that a policy opens is closed and another opened; nothing else changes.",
	move{"other port", effects.Moves{Connections: 4}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].Ports = on(effects.Ports[1]) })},
	move{"all ports", effects.Moves{Connections: 6}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].Ports = nil })},
), onInput("input: policy sources changed", "A policy hears the clients of all namespaces, then those of the other alone, then none.",
	move{"all namespaces", effects.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].From[0].NamespaceSelector = everything() })},
	move{"the other one", effects.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].NamespaceSelector = label("tier", "back")
	})},
	move{"none", effects.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress = nil })},
), onInput("input: policy deleted while in use", "A policy that holds is deleted and the server is open; made again, it holds again.",
	move{"delete", effects.Moves{Connections: 18}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePolicies(ctx, []workloads.Key{guard(w).Key})
	}},
	move{"make again", effects.Moves{Connections: 18}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{guard(w)})
	}},
)

// changeGuard gives the stage's policy the rules that it had at first, but for the change.
func changeGuard(change func(*networkingv1.NetworkPolicySpec)) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		p := guard(w)
		change(&p.Spec)
		return w.Fleet.ChangePolicies(ctx, []workloads.Policy{p})
	}
}
