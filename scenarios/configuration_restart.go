package scenarios

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	f := &routeField{routes: or(p.Routes, 100), endpoints: or(p.Endpoints, 300)}
	return engine.Scenario{
		Name: "configuration over a restart",
		Doc: "What makes the configuration of a proxy is killed and started again, while a route comes, one goes and endpoints change: no configuration on the way may lack" +
			" what was there all along, and the last one is right.",
		Labels:   []engine.Label{Requests},
		Needs:    []workloads.Feature{workloads.HTTPRouting, workloads.ProxyConfig, workloads.Restarts},
		Timeout:  10 * time.Minute,
		Topology: workloads.Topology{Namespaces: 2, PodsPerNamespace: 1, RemoteNodes: 1},
		Steps: []engine.Step{
			{Name: "services", Do: f.serve},
			{Name: "routes", Do: f.addAtOnce},
			{Name: "restart", Repeat: or(p.Cycles, 3), Do: f.restart},
		},
	}
})

// addAtOnce makes all routes.
func (f *routeField) addAtOnce(ctx context.Context, w *engine.World) error {
	var all []workloads.Ingress
	for i := range f.routes {
		all = append(all, f.ingress(w, i, i))
	}
	return w.Fleet.AddIngresses(ctx, all)
}

// restart kills the agent and starts it again. While it is away the first route goes or comes back, and the endpoints of the second change.
func (f *routeField) restart(ctx context.Context, w *engine.World) error {
	return w.Away(func() error {
		if err := w.Agent.Stop(ctx); err != nil {
			return err
		}
		_, slice := f.service(w, 1, w.Cycle)
		first := f.ingress(w, 0, 0)
		change := func(ctx context.Context) error { return w.Fleet.AddIngresses(ctx, []workloads.Ingress{first}) }
		if w.Fleet.State().Ingresses().Has(first.Key) {
			change = func(ctx context.Context) error { return w.Fleet.RemoveIngresses(ctx, []workloads.Key{first.Key}) }
		}
		return errors.Join(change(ctx), w.Fleet.ChangeEndpointSlices(ctx, []workloads.EndpointSlice{slice}), w.Agent.Start(ctx))
	})
}
