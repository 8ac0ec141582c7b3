package leak

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var (
	_ = register(churn{
		name: "agent-restarts", doc: "The agent is killed and started; what it leaves in the kernel must not grow, nor what it holds after its start.",
		thing: "restart", objects: 2, see: SeeRestartBytes, topology: small, needs: []workloads.Feature{workloads.PodNetwork, workloads.Restarts},
		turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
			return nil, again(ctx, w, c.objects, func() error {
				return w.Away(func() error { return errors.Join(w.Agent.Stop(ctx), w.Agent.Start(ctx)) })
			})
		},
	})
	_ = register(churn{
		name: "api-restarts", doc: "The API server is killed and started; what the SUT holds must not grow with each new connection.",
		thing: "restart", objects: 3, see: SeeRestartBytes, topology: small, needs: []workloads.Feature{workloads.PodNetwork, workloads.Restarts},
		turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
			return nil, again(ctx, w, c.objects, func() error {
				return w.Away(func() error { return effects.InspectorOf(w).RestartAPI(ctx) })
			})
		},
	})
)

// again does something so many times; between them all effects must hold.
func again(ctx context.Context, w *engine.World, times int, do func() error) error {
	for i := range times {
		if i > 0 {
			if err := w.Converge(ctx); err != nil {
				return err
			}
		}
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}
