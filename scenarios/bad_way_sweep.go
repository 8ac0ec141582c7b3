package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	var steps []engine.Step
	for _, worse := range []effects.Worse{
		{}, {Delay: 10 * time.Millisecond}, {Delay: 50 * time.Millisecond}, {Delay: 100 * time.Millisecond}, {Delay: 250 * time.Millisecond}, {Delay: 500 * time.Millisecond},
		{Loss: 0.01}, {Loss: 0.02}, {Loss: 0.05}, {Loss: 0.1}, {Delay: 100 * time.Millisecond, Loss: 0.05}, {Delay: 500 * time.Millisecond, Loss: 0.1},
	} {
		steps = append(steps, engine.Step{Name: worse.String(), Patience: caughtUpBound, Do: func(ctx context.Context, w *engine.World) error {
			worse := worse
			worse.Seed = w.Rand.Uint64()
			return effects.AmidWorse(ctx, w, worse, func(ctx context.Context) error {
				for range or(p.Cycles, 3) {
					if err := timeSome(ctx, w, worse.String()); err != nil {
						return err
					}
					for range 2 { // there and back: what is timed wants the stage as it was
						if err := timeConvergence(ctx, w, worse.String()); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}})
	}
	return engine.Scenario{
		Name: "bad way to the API server, sweep",
		Doc: "How long changes take to hold, one alone and a handful together, while packets between the agent and the API server come up to 500 ms later each way" +
			" and up to one in ten is lost: a table.",
		Labels:   []engine.Label{Network, Clock, Slow},
		Needs:    []workloads.Feature{workloads.OwnWay},
		Timeout:  30 * time.Minute,
		Topology: stage, Arrange: arrangeStage,
		Steps: steps,
	}
})
