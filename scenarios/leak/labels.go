package leak

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(churn{
	name: "labels", doc: "Pods here and elsewhere get labels of new values and their old ones back; what the SUT holds must not grow.",
	thing: "relabelled pod", objects: 12, topology: small, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		was := w.Plan.Ring(w.Fleet.State())
		was = was[:min(len(was), c.objects)]
		c.churns(len(was))
		is := slices.Clone(was)
		for i := range is {
			is[i].Labels = maps.Clone(was[i].Labels)
			is[i].Labels["role"] = fmt.Sprintf("only-%d-%d", c.number(), i)
			is[i].Labels[fmt.Sprintf("key-%d", c.number())] = "set"
		}
		return func() error { return w.Fleet.RelabelPods(ctx, was) }, w.Fleet.RelabelPods(ctx, is)
	},
})
