package leak

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(churn{
	name: "everything", doc: "All nodes, namespaces and pods go and come back under their names; what the SUT holds must not grow.",
	thing: "pod", objects: small.Namespaces * small.PodsPerNamespace, topology: small, bare: true,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		c.churns(w.Fleet.State().Pods().Len())
		if err := w.Fleet.Clear(ctx); err != nil {
			return nil, err
		}
		return nil, w.Fleet.Apply(ctx, w.Plan.State())
	},
})
