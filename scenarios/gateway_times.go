package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n, rounds := or(p.Routes, 5), or(p.Cycles, 10)
	return engine.Scenario{
		Name: "gateway times", Labels: []engine.Label{Requests, Clock, Slow}, Timeout: brief * 4,
		Needs: []workloads.Feature{workloads.GatewayRoutes, workloads.ProxiedRequests},
		Doc: "A Gateway with some routes is created, gets another host and is deleted: how long from the API write until the first right answer, and until the status says that it is" +
			" programmed.",
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: 5, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, n) }},
			{Name: "routes", Do: func(ctx context.Context, w *engine.World) error {
				f := frontOf(w)
				all := routesTo(w, n, 0)
				timed := f.httpRoute(workloads.Key{Namespace: f.pods()[0].Namespace, Name: "timed"}, []string{"one.timed.example", "two.timed.example"}, rule(serviceName(0)))
				timed.Parents[0].Gateway = timedGateway(f, "").Key
				return w.Fleet.Add(ctx, append(all, timed)...)
			}},
			{Name: "rest", Repeat: rounds, Do: timeGateway},
		},
	}
})

// timedGateway listens for a host.
func timedGateway(f shopfront, host string) workloads.Gateway {
	g := f.gateway()
	g.Name, g.Listeners[0].Host = "timed", host
	return g
}

// timeGateway times each kind of change of a Gateway once.
func timeGateway(ctx context.Context, w *engine.World) error {
	f, e := frontOf(w), must(routed.ProxiedOf(w))
	one, two := timedGateway(f, "one.timed.example"), timedGateway(f, "two.timed.example")
	timed := func(operation, host string, status bool, do func(context.Context) error) error {
		t := routed.Timed{Operation: operation, Load: "rest", Request: ask(host), Do: do}
		if status {
			t.Status = func(ctx context.Context) (bool, error) { return w.Fleet.Published(ctx, one.Part()) }
		}
		return e.Time(ctx, w, t)
	}
	for _, step := range []func() error{
		func() error {
			return timed("gateway added", "one.timed.example", true, func(ctx context.Context) error { return w.Fleet.Add(ctx, one) })
		},
		func() error {
			return timed("gateway gets another host", "two.timed.example", true, func(ctx context.Context) error { return w.Fleet.Change(ctx, two) })
		},
		func() error {
			return timed("gateway deleted", "two.timed.example", false, func(ctx context.Context) error { return w.Fleet.Remove(ctx, two.Part()) })
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
