package faults

import (
	"context"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// What the datastore does must be survived: the driver resumes, and model, API and SUT agree afterwards.
var _ = register(
	Fault{
		Name: "API server restarted", Want: metrics.Pass,
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error { return during(ctx, w, APIServer, s) },
	},
	Fault{
		Name: "etcd restarted", Want: metrics.Pass,
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error { return during(ctx, w, Etcd, s) },
	},
)
