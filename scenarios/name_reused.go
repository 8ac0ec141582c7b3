package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name: "name made again",
		Doc: "Pods go, are seen to be gone, and come back under their names and addresses with other labels, which hold from then on. " +
			"(The wait is on purpose: docs/findings.md tells what becomes of it when a name comes back within 150 ms.)",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "make again", Repeat: or(p.Cycles, 6), Do: func(ctx context.Context, w *engine.World) error {
				// Server and client of the first namespace change their parts each time, and so does the remote client.
				var pods []workloads.Pod
				var gone []workloads.Key
				for _, pod := range podsOf(w.Fleet.State(), onStage(w, 0, server).Namespace) {
					pod.Labels = map[string]string{"role": map[string]string{"server": "client", "client": "server"}[pod.Labels["role"]]}
					pods, gone = append(pods, pod), append(gone, pod.Key)
				}
				how := []workloads.Removal{workloads.Graceful, workloads.Forced}[w.Cycle%2]
				if err := w.Fleet.RemovePods(ctx, gone, how); err != nil {
					return err
				}
				if err := w.Converge(ctx); err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, pods)
			}},
		},
	}
})
