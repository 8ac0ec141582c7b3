package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	here := func(w *engine.World) workloads.Pod { return onStage(w, 0, localClient) }
	far := func(w *engine.World) workloads.Pod { return onStage(w, 0, remoteClient) }
	finish := func(pod func(*engine.World) workloads.Pod, phase corev1.PodPhase) func(context.Context, *engine.World) error {
		return func(ctx context.Context, w *engine.World) error {
			return w.Fleet.FinishPods(ctx, []workloads.Key{pod(w).Key}, phase)
		}
	}
	remove := func(pod func(*engine.World) workloads.Pod) func(context.Context, *engine.World) error {
		return func(ctx context.Context, w *engine.World) error {
			return w.Fleet.RemovePods(ctx, []workloads.Key{pod(w).Key}, workloads.Graceful)
		}
	}
	idle := func(pod func(*engine.World) workloads.Pod) func(*engine.World) workloads.Pod {
		return func(w *engine.World) workloads.Pod {
			p := pod(w)
			p.Labels = map[string]string{"role": "idle"}
			return p
		}
	}
	return engine.Scenario{
		Name: "finished pods",
		Doc: "Clients finish, one here and one on another node, and their addresses pass on to pods that are none while their objects stay and tell of them: the SUT lets go" +
			" of them, judges the new owners by their own labels, and does not notice when the objects are deleted.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "succeed", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: finish(here, corev1.PodSucceeded)},
			{Name: "pass on", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: inherit(idle(here))},
			{Name: "delete", Moves: effects.Moves{}, Do: remove(here)},
			{Name: "fail elsewhere", Moves: effects.Moves{Gauges: 1, Connections: 32}, Do: finish(far, corev1.PodFailed)},
			{Name: "pass on elsewhere", Moves: effects.Moves{Gauges: 1, Connections: 32}, Do: inherit(idle(far))},
			{Name: "delete elsewhere", Moves: effects.Moves{}, Do: remove(far)},
		},
	}
})
