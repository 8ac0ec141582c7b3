package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The inputs of the calculation that concern policies.
var _, _, _, _ = onInput("input: policy selector changed", "A policy that selects nobody any more holds for nobody, and for the server again when it selects that again.",
	move{"select nobody", engine.Moves{Connections: 18}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.PodSelector = *label("role", "nobody") })},
	move{"select the server", engine.Moves{Connections: 18}, changeGuard(func(*networkingv1.NetworkPolicySpec) {})},
), onInput("input: policy ports changed", "The port that a policy opens is closed and another opened; nothing else changes.",
	move{"other port", engine.Moves{Connections: 4}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].Ports = on(engine.Ports[1]) })},
	move{"all ports", engine.Moves{Connections: 6}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].Ports = nil })},
), onInput("input: policy sources changed", "A policy hears the clients of all namespaces, then those of the other alone, then none.",
	move{"all namespaces", engine.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].From[0].NamespaceSelector = everything() })},
	move{"the other one", engine.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].NamespaceSelector = label("tier", "back")
	})},
	move{"none", engine.Moves{Connections: 2}, changeGuard(func(s *networkingv1.NetworkPolicySpec) { s.Ingress = nil })},
), onInput("input: policy deleted while in use", "A policy that holds is deleted and the server is open; made again, it holds again.",
	move{"delete", engine.Moves{Connections: 18}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePolicies(ctx, []workloads.Key{guard(w).Key})
	}},
	move{"make again", engine.Moves{Connections: 18}, func(ctx context.Context, w *engine.World) error {
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
