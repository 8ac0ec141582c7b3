package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "namespace churn",
		Doc:      "Each cycle one namespace goes with all its pods and comes back under the same name, with new pods.",
		Labels:   []engine.Label{Churn},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 5, PodsPerNamespace: 10, Local: 25}),
		Steps: []engine.Step{
			{Name: "delete and recreate", Repeat: or(p.Cycles, 10), Do: func(ctx context.Context, w *engine.World) error {
				s := w.Fleet.State()
				all := s.Namespaces().List()
				ns := all[(w.Cycle-1)%len(all)]
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
				return w.Fleet.AddPods(ctx, pods)
			}},
		},
	}
})
