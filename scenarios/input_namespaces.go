package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The inputs of the calculation that concern namespaces.
var _, _ = onInput("input: namespace relabelled", "The clients of a namespace are let in, local and remote, while its label is the one that the policy names.",
	move{"hear the tier alone", effects.Moves{}, changeGuard(func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].NamespaceSelector = label("tier", "front")
	})},
	move{"second joins the tier", effects.Moves{Connections: 2}, relabelNamespace(1, "front")},
	move{"first leaves the tier", effects.Moves{Connections: 2}, relabelNamespace(0, "back")},
	move{"second leaves the tier", effects.Moves{Connections: 2}, relabelNamespace(1, "back")},
), onInput("input: namespace closed and opened", "A default-deny policy closes a namespace, and only it; without the policy it is open.",
	move{"close", effects.Moves{Connections: 40}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{closed(w, 1)})
	}},
	move{"open", effects.Moves{Connections: 40}, func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePolicies(ctx, []workloads.Key{closed(w, 1).Key})
	}},
)

// relabelNamespace gives one of the stage's namespaces another tier.
func relabelNamespace(namespace int, tier string) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		ns := w.Fleet.State().Namespaces().List()[namespace]
		ns.Labels = map[string]string{"tier": tier}
		return w.Fleet.RelabelNamespaces(ctx, []workloads.Namespace{ns})
	}
}

// closed lets nobody reach the pods of a namespace of the stage.
func closed(w *engine.World, namespace int) workloads.Policy {
	spec := hears(everything(), nil)
	spec.Ingress = nil
	return workloads.Policy{Key: workloads.Key{Namespace: w.Fleet.State().Namespaces().List()[namespace].Name, Name: "closed"}, Spec: spec}
}
