package scenarios

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n, instances := or(p.Routes, 20), or(p.Proxies, 1)
	rest := func(ctx context.Context, _ *engine.World) error { return engine.Pause(ctx, 3*time.Second) }
	restart := func(stop func(engine.Agent, context.Context) error) func(context.Context, *engine.World) error {
		return func(ctx context.Context, w *engine.World) error {
			err := w.Away(func() error { return errors.Join(stop(w.Agent, ctx), w.Agent.Start(ctx)) })
			return errors.Join(err, rest(ctx, w))
		}
	}
	ended := engine.Step{Name: "asked to end", Do: restart(engine.Agent.End)}
	if instances > 1 {
		ended = engine.Step{Name: "rolling replacement", Do: replaceEach}
	}
	return engine.Scenario{
		Name: "proxy restarted under load",
		Doc: "The program is asked to end, and then killed, while routes are asked for, and started again: requests that fail meanwhile are counted. From when it says that it is" +
			" ready, each answer must be right. Of several instances one after the other is asked to end: the others must go on as if nothing were.",
		Labels:   []engine.Label{Requests, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests, workloads.Restarts},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 5, Local: -1}),

		Instances: instances,
		Steps: []engine.Step{
			{Name: "routes", Do: func(ctx context.Context, w *engine.World) error {
				return errors.Join(serveEach(ctx, w, n), w.Fleet.Add(ctx, routesTo(w, n, 0)...))
			}},
			{Name: "load", Do: rest},
			ended,
			{Name: "killed", Do: restart(engine.Agent.Stop)},
		},
	}
})

// replaceEach asks each instance of the SUT to end and starts it again, one after the other. All effects must hold of all of them before it is the
// next one's turn; what was wrong all along is told once all have been replaced.
func replaceEach(ctx context.Context, w *engine.World) error {
	for i, a := range append([]engine.Agent{w.Agent}, w.Others...) {
		if err := w.AwayOf(i+1, func() error { return errors.Join(a.End(ctx), a.Start(ctx)) }); err != nil {
			return err
		}
		if err := errors.Join(engine.Pause(ctx, 3*time.Second), w.ExpectAll(ctx, w.Effects.Always(w), 0, w.Note)); err != nil {
			return err
		}
	}
	return nil
}
