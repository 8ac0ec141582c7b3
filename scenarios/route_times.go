package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n, rounds, churn := or(p.Routes, 100), or(p.Cycles, 10), ratePerSecond(p)
	return engine.Scenario{
		Name: "route times",
		Doc: "Among so many routes one is created, led elsewhere, deleted, and loses an endpoint: how long from the API write until the first right answer, until the status" +
			" that the controller publishes, and until the last answer of what is gone, at rest and while other routes come and go.",
		Labels:   []engine.Label{Requests, Clock, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests},
		Timeout:  time.Hour,
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: or(p.Endpoints, 10), Local: -1},
		Steps: []engine.Step{
			{Name: fmt.Sprintf("%d routes", n), Do: func(ctx context.Context, w *engine.World) error {
				return errors.Join(serveEach(ctx, w, n+2), w.Fleet.Add(ctx, routesTo(w, n, 0)...))
			}, Settle: true},
			{Name: "rest", Repeat: rounds, Do: func(ctx context.Context, w *engine.World) error { return timeRoute(ctx, w, n, "rest") }},
			{Name: "churn", Repeat: rounds, Do: func(ctx context.Context, w *engine.World) error {
				return amidRoutes(ctx, w, churn, func(ctx context.Context) error { return timeRoute(ctx, w, n, fmt.Sprintf("%g operations/s", churn)) })
			}},
		},
	}
})

// timeRoute times each kind of change once, of a route that is there for it alone.
func timeRoute(ctx context.Context, w *engine.World, n int, load string) error {
	f, e := frontOf(w), must(routed.ProxiedOf(w))
	pods := f.pods()
	one, other := workloads.Key{Namespace: pods[0].Namespace, Name: serviceName(n)}, workloads.Key{Namespace: pods[0].Namespace, Name: serviceName(n + 1)}
	first, second := pods[n%len(pods)], pods[(n+1)%len(pods)]
	route := f.route("timed", "timed.example", one)
	timed := func(operation string, status bool, do func(context.Context) error) routed.Timed {
		t := routed.Timed{Operation: operation, Load: load, Request: ask("timed.example"), Do: do}
		if status && w.SUT.HasFeature(workloads.RouteStatus) {
			t.Status = func(ctx context.Context) (bool, error) { return w.Fleet.Published(ctx, route.Part()) }
		}
		return t
	}
	endpoints := func(pods ...workloads.Pod) func(context.Context) error {
		return func(ctx context.Context) error {
			return w.Fleet.ChangeEndpointSlices(ctx, []workloads.EndpointSlice{f.Slice(one, pods...)})
		}
	}
	for _, step := range []func() error{
		func() error {
			return e.Time(ctx, w, timed("route added", true, func(ctx context.Context) error { return w.Fleet.Add(ctx, route) }))
		},
		func() error {
			return e.Time(ctx, w, timed("route moved", f.byGateway(), func(ctx context.Context) error {
				return w.Fleet.Change(ctx, f.route("timed", "timed.example", other))
			}))
		},
		func() error {
			return e.Time(ctx, w, timed("route moved", f.byGateway(), func(ctx context.Context) error { return w.Fleet.Change(ctx, route) }))
		},
		func() error {
			return errors.Join(endpoints(first, second)(ctx), e.Reach(ctx, ask("timed.example"), second.Key))
		},
		func() error {
			return e.TimeLast(ctx, w, timed("endpoint removed", false, endpoints(first)), second.Key)
		},
		func() error {
			return e.Time(ctx, w, timed("route deleted", false, func(ctx context.Context) error { return w.Fleet.Remove(ctx, route.Part()) }))
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// must returns what scenarios have that ask for what it needs.
func must[T any](e T, _ bool) T { return e }
