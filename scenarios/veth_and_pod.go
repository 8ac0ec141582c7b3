package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	var late []workloads.Pod // the pods whose veths are to come
	newcomers := func(w *engine.World, bare bool) ([]workloads.Pod, error) {
		pods, err := w.Plan.Successors([]workloads.Pod{onStage(w, 0, server), onStage(w, 0, localClient)})
		for i := range pods {
			pods[i].Bare = bare
		}
		return pods, err
	}
	return engine.Scenario{
		Name:     "veth and pod in either order",
		Doc:      "Veths come before their pods, which the SUT must not count or route, and pods before their veths, which it must count and not route; both are served in the end.",
		Labels:   []engine.Label{Identity},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "veth first", Do: func(ctx context.Context, w *engine.World) error {
				pods, err := newcomers(w, false)
				if err != nil {
					return err
				}
				if err := w.Fleet.PlugPods(ctx, pods); err != nil {
					return err
				}
				if err := w.Converge(ctx); err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, pods)
			}},
			{Name: "pod first", Do: func(ctx context.Context, w *engine.World) (err error) {
				if late, err = newcomers(w, true); err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, late)
			}},
			{Name: "then its veth", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.PlugPods(ctx, late) }},
		},
	}
})
