package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
)

// frozenFor is how long an agent is frozen that a machine has no processor for.
const frozenFor = 30 * time.Second

var _ = register(func(Params) engine.Scenario {
	return hitless(engine.Scenario{
		Name:   "hitless freeze",
		Doc:    "As hitless restart, while the agent is frozen for 30 s.",
		Labels: []engine.Label{Traffic, Policy, Slow},
		Steps: []engine.Step{amid("frozen for 30 s", frozenFor, func(ctx context.Context, w *engine.World) error {
			return w.Away(func() error { return w.Freeze(func() error { return engine.Pause(ctx, frozenFor) }) })
		})},
	})
})
