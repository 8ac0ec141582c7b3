package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "thousand pods in and out",
		Doc:      "A thousand pods on ten nodes go, are seen to be gone, and a thousand new ones come, ten times.",
		Labels:   []engine.Label{Churn, Scale, Slow},
		Timeout:  30 * time.Minute,
		Topology: p.topology(workloads.Topology{RemoteNodes: 9, Namespaces: 20, PodsPerNamespace: 50, Local: 100}),
		Steps: []engine.Step{{Name: "out and in", Repeat: or(p.Cycles, 10), Settle: true, Do: func(ctx context.Context, w *engine.World) error {
			fresh, err := w.Plan.Successors(w.Plan.Ring(w.Fleet.State()))
			if err != nil {
				return err
			}
			if err := w.Fleet.RemovePods(ctx, w.Fleet.State().Pods().Keys(), workloads.Graceful); err != nil {
				return err
			}
			if err := w.Converge(ctx); err != nil {
				return err
			}
			return w.Fleet.AddPods(ctx, fresh)
		}}},
	}
})
