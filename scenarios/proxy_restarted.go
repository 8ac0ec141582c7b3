package scenarios

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n := or(p.Routes, 20)
	rest := func(ctx context.Context, _ *engine.World) error { return pause(ctx, 3*time.Second) }
	restart := func(stop func(engine.Agent, context.Context) error) func(context.Context, *engine.World) error {
		return func(ctx context.Context, w *engine.World) error {
			err := w.Away(func() error { return errors.Join(stop(w.Agent, ctx), w.Agent.Start(ctx)) })
			return errors.Join(err, rest(ctx, w))
		}
	}
	return engine.Scenario{
		Name: "proxy restarted under load",
		Doc: "The program is killed, and then asked to end, while routes are asked for, and started again: requests that fail meanwhile are counted. From when it says that it is" +
			" ready, each answer must be right.",
		Labels:   []engine.Label{Requests, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests, workloads.Restarts},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 5, Local: -1}),
		Steps: []engine.Step{
			{Name: "routes", Do: func(ctx context.Context, w *engine.World) error {
				return errors.Join(serveEach(ctx, w, n), w.Fleet.Add(ctx, routesTo(w, n, 0)...))
			}},
			{Name: "load", Do: rest},
			{Name: "asked to end", Do: restart(engine.Agent.End)},
			{Name: "killed", Do: restart(engine.Agent.Stop)},
		},
	}
})
