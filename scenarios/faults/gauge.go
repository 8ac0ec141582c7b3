package faults

import (
	"context"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(Fault{
	Name: "a gauge lies", Want: metrics.Fail, Causes: []Cause{{Probe: "gauges", Kind: report.Gauge, Subject: string(metrics.LocalEndpoints), Want: "8", Got: "9"}},
	Break: func(ctx context.Context, _ *engine.World, s Saboteur) error {
		return s.Lie(ctx, metrics.LocalEndpoints, 1)
	},
})
