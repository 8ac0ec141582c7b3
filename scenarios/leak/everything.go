package leak

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(churn{
	name: "everything", doc: "All nodes, namespaces and pods go and come back under their names; what the SUT holds must not grow.",
	thing: "pod", objects: small.Namespaces * small.PodsPerNamespace, topology: small, bare: true, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		c.churns(w.Fleet.State().Pods().Len())
		return func() error { return w.Fleet.Apply(ctx, w.Plan.State()) }, w.Fleet.Clear(ctx)
	},
})
