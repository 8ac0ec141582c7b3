package scenarios

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n, cycles := or(p.Routes, 10), or(p.Cycles, 3)
	return engine.Scenario{
		Name:     "routes come and go",
		Doc:      "Routes are created, led to other pods and deleted, each with a host and a service of its own; after each change every route is asked for.",
		Labels:   []engine.Label{Requests, Basic},
		Needs:    []workloads.Feature{workloads.RequestRouting},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 2, PodsPerNamespace: 4, Local: -1}),
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, n) }},
			{Name: "routes come", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.Add(ctx, routesTo(w, n, 0)...) }},
			{Name: "routes move", Repeat: cycles, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.Change(ctx, routesTo(w, n, w.Cycle)...)
			}},
			{Name: "routes go and come back", Repeat: cycles, Do: func(ctx context.Context, w *engine.World) error {
				all := routesTo(w, n, cycles)
				if err := w.Fleet.Remove(ctx, partsOf(all)...); err != nil {
					return err
				}
				return errors.Join(w.Converge(ctx), w.Fleet.Add(ctx, all...))
			}},
			{Name: "routes go", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.Remove(ctx, partsOf(routesTo(w, n, 0))...)
			}},
		},
	}
})

// serveEach makes so many services, each of which leads to one of the pods in turn, and a Gateway if there must be one.
func serveEach(ctx context.Context, w *engine.World, n int) error {
	f, pods := frontOf(w), frontOf(w).pods()
	var services []workloads.Service
	var slices []workloads.EndpointSlice
	for i := range n {
		service, slice := f.Service(serviceName(i), pods[i%len(pods)])
		services, slices = append(services, service), append(slices, slice)
	}
	return errors.Join(w.Fleet.AddServices(ctx, services), w.Fleet.AddEndpointSlices(ctx, slices), f.open(ctx))
}

// routesTo are the routes to these services, each by so many further than its own, as far as they are in its namespace.
func routesTo(w *engine.World, n, further int) (all []workloads.Object) {
	f, pods := frontOf(w), frontOf(w).pods()
	for i := range n {
		to := i
		for range further {
			for to = (to + 1) % n; pods[to%len(pods)].Namespace != pods[i%len(pods)].Namespace; to = (to + 1) % n {
			}
		}
		all = append(all, f.route(serviceName(i), host(i), workloads.Key{Namespace: pods[i%len(pods)].Namespace, Name: serviceName(to)}))
	}
	return all
}
