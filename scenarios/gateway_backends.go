package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	const services = 3
	share := func(service string, weight int32) workloads.RouteBackend {
		return workloads.RouteBackend{Service: service, Port: routed.FrontPort, Weight: weight}
	}
	lead := func(name string, backends ...workloads.RouteBackend) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			f := frontOf(w)
			route := f.httpRoute(workloads.Key{Namespace: f.pods()[0].Namespace, Name: "shared"}, []string{"shared.example"}, workloads.HTTPRouteRule{Backends: backends})
			if w.Fleet.State().Object(route.Part()) == nil {
				return w.Fleet.Add(ctx, route)
			}
			return w.Fleet.Change(ctx, route)
		}}
	}
	a, b, c := serviceName(0), serviceName(1), serviceName(2)
	return engine.Scenario{
		Name: "backends of an HTTP route", Labels: []engine.Label{Requests, Basic}, Needs: []workloads.Feature{workloads.GatewayRoutes, workloads.ProxiedRequests}, Timeout: brief,
		Doc: "Services share the requests of a rule by weight: one of weight 0 gets none, the share of one that is not there, or lacks the port, is answered with 500, and that of one" +
			" without endpoints with 503.",
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: services, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, services) }},
			lead("one", share(a, 1)),
			lead("weights", share(a, 3), share(b, 1), share(c, 0)),
			lead("others", share(b, 1), share(c, 2)),
			lead("not there", share("nobody", 1)),
			lead("half is not there", share(a, 1), share("nobody", 1)),
			lead("no such port", workloads.RouteBackend{Service: a, Port: routed.FrontPort + 1, Weight: 1}),
			lead("not there, without weight", share(a, 1), share("nobody", 0)),
			lead("again", share(a, 1), share(b, 1)),
			{Name: "one without endpoints", Do: func(ctx context.Context, w *engine.World) error {
				f := frontOf(w)
				return w.Fleet.Change(ctx, f.Slice(workloads.Key{Namespace: f.pods()[0].Namespace, Name: a}))
			}},
			lead("none with endpoints", share(a, 1)),
		},
	}
})
