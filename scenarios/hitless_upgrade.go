package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	return hitless(engine.Scenario{
		Name:    "hitless upgrade",
		Doc:     "As hitless restart, while the agent is replaced by each other release of it that can be built, and back.",
		Labels:  []engine.Label{Traffic, Policy, Slow},
		Needs:   []workloads.Feature{workloads.Restarts, workloads.Upgrades},
		Timeout: 30 * time.Minute, // a release may have to be built
		Steps: []engine.Step{{Name: "there and back", Do: func(ctx context.Context, w *engine.World) error {
			agent, ok := w.Agent.(engine.Upgradable)
			if !ok {
				return errors.New("the agent can't be started in another release")
			}
			all := agent.Releases()
			for _, other := range all[1:] {
				for _, r := range [][2]string{{all[0], other}, {other, all[0]}} {
					if err := agent.Make(ctx, r[1]); err != nil {
						return err
					}
					if err := upgraded(ctx, w, agent, r[0], r[1]); err != nil {
						return err
					}
					if err := w.Converge(ctx); err != nil {
						return err
					}
				}
			}
			return nil
		}}},
	})
})

// upgraded replaces the agent by another release of it amid traffic. It ends in order, as in a cluster that rolls its agents.
func upgraded(ctx context.Context, w *engine.World, agent engine.Upgradable, from, to string) error {
	return guardedUnharmed(ctx, w, fmt.Sprintf("%s to %s", from, to), 0, func(ctx context.Context) error {
		as := func(ctx context.Context) error { return agent.StartAs(ctx, to) }
		return away(ctx, w, agent.End, as, func(context.Context, *engine.World) error { return nil })
	})
}
