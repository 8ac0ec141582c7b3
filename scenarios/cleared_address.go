package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	pod := func(w *engine.World) workloads.Pod { return onStage(w, 0, localClient) }
	return engine.Scenario{
		Name:     "cleared pod address",
		Doc:      "A pod loses its address in status and annotations and is then deleted; the SUT lets go of it, and of nobody else, and serves the next owner of the address.",
		Labels:   []string{Basic, Identity},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "clear", Moves: &engine.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ClearIPs(ctx, []workloads.Key{pod(w).Key})
			}},
			{Name: "delete", Moves: &engine.Moves{}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePods(ctx, []workloads.Key{pod(w).Key}, workloads.Graceful)
			}},
			{Name: "recover", Moves: &engine.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: func(ctx context.Context, w *engine.World) error {
				next, err := heir(w, pod(w))
				if err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, []workloads.Pod{next})
			}},
		},
	}
})

// heir is a pod like the old one in all but its name: it has its addresses too.
func heir(w *engine.World, old workloads.Pod) (workloads.Pod, error) {
	next, err := w.Plan.Successor(old)
	if err != nil {
		return workloads.Pod{}, err
	}
	old.Name = next.Name
	return old, nil
}
