package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	var late []workloads.Pod // the pods whose veths are to come
	newcomers := func(w *engine.World, bare bool) ([]workloads.Pod, error) {
		var pods []workloads.Pod
		for _, position := range []int{server, localClient} {
			old := onStage(w, 0, position)
			pod, err := w.Plan.Successor(old)
			if err != nil {
				return nil, err
			}
			pod.Labels, pod.Bare = old.Labels, bare
			pods = append(pods, pod)
		}
		return pods, nil
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
