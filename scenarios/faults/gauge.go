package faults

import (
	"context"
	"regexp"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(Fault{
	Name: "a gauge lies", Want: metrics.Fail, Cause: regexp.MustCompile(`^gauges: local_endpoints: want 8, got 9`),
	Break: func(ctx context.Context, _ *engine.World, s Saboteur) error {
		return s.Lie(ctx, metrics.LocalEndpoints, 1)
	},
})
