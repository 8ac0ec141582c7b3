package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "fifty thousand remote endpoints",
		Doc:      "50,000 pods on 1,000 other nodes and a hundred on the SUT's own: all are counted, the hundred are served.",
		Labels:   []engine.Label{Scale, Slow},
		Timeout:  30 * time.Minute,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1000, Namespaces: 501, PodsPerNamespace: 100, Local: 100}),
		// A step of its own, since clean-up has three minutes for all.
		Steps: []engine.Step{{Name: "remove", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.Clear(ctx) }}},
	}
})
