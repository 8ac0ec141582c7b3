package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "namespace made again",
		Doc:      "A closed namespace is deleted and at once made again under its name, with another label, other pods and no policy: the old label and the old policy must hold for nobody.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
				tier := guard(w)
				tier.Spec.Ingress[0].From[0] = networkingv1.NetworkPolicyPeer{NamespaceSelector: label("tier", "back"), PodSelector: label("role", "client")}
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{tier, closed(w, 1)})
			}},
			{Name: "make again", Repeat: or(p.Cycles, 4), Do: func(ctx context.Context, w *engine.World) error {
				s := w.Fleet.State()
				ns := s.Namespaces().List()[1]
				ns.Labels = map[string]string{"tier": map[string]string{"front": "back", "back": "front"}[ns.Labels["tier"]]}
				pods, err := w.Plan.Successors(podsOf(s, ns.Name))
				if err != nil {
					return err
				}
				if err := w.Fleet.RemoveNamespaces(ctx, []string{ns.Name}); err != nil {
					return err
				}
				if err := w.Fleet.AddNamespaces(ctx, []workloads.Namespace{ns}); err != nil {
					return err
				}
				if w.Cycle%2 == 0 { // every other life is closed again
					if err := w.Fleet.AddPolicies(ctx, []workloads.Policy{closed(w, 1)}); err != nil {
						return err
					}
				}
				return w.Fleet.AddPods(ctx, pods)
			}},
		},
	}
})
