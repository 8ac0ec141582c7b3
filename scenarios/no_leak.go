package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The first cycles fill caches and pools; they say nothing about a leak.
const warmUpCycles = 3

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "no leak",
		Doc:      "10,000 endpoints go and come back, cycle after cycle; what the SUT holds must not grow from one cycle to the next.",
		Labels:   []engine.Label{Leak, Churn, Slow},
		Timeout:  2 * time.Hour,
		Topology: p.topology(workloads.Topology{RemoteNodes: 9, Namespaces: 1000, PodsPerNamespace: 10, Local: 100}),
		Steps: []engine.Step{
			{Name: "delete and recreate all", Repeat: or(p.Cycles, 20), Settle: true, Do: func(ctx context.Context, w *engine.World) error {
				if err := w.Fleet.Clear(ctx); err != nil {
					return err
				}
				return w.Fleet.Apply(ctx, w.Plan.State())
			}},
		},
		Budgets: []metrics.Budget{
			{Gauge: metrics.HeapBytes, Step: "delete and recreate all", SlopePerCycle: 256 << 10, Discard: warmUpCycles, MinPoints: 5},
			{Gauge: metrics.Goroutines, Step: "delete and recreate all", SlopePerCycle: 1, Discard: warmUpCycles, MinPoints: 5},
			{Gauge: metrics.FDs, Step: "delete and recreate all", SlopePerCycle: 1, Discard: warmUpCycles, MinPoints: 5},
		},
	}
})
