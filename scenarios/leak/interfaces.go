package leak

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(churn{
	name: "interfaces", doc: "Veths of pods that never come are plugged and unplugged; what the SUT holds must not grow.",
	thing: "interface", objects: 50, topology: small, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		pods, err := c.successors(w, standing(w, true), c.objects)
		if err != nil {
			return nil, err
		}
		return func() error { return w.Fleet.UnplugPods(ctx, keys(pods)) }, w.Fleet.PlugPods(ctx, pods)
	},
})
