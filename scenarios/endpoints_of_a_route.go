package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n := or(p.Routes, 2)
	lead := func(cut func(pods []workloads.Pod) []workloads.Pod) func(context.Context, *engine.World) error {
		return func(ctx context.Context, w *engine.World) error { return endpointsTo(ctx, w, n, cut) }
	}
	return engine.Scenario{
		Name: "endpoints of a route change",
		Doc: "Pods behind a route leave it, join it, are exchanged for others and are gone altogether: requests reach each pod that is left and no other, and without one" +
			" the answer is 503. Then a pod that is behind it no more is deleted.",
		Labels:   []engine.Label{Requests, Basic},
		Needs:    []workloads.Feature{workloads.RequestRouting},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 6, Local: -1}),
		Steps: []engine.Step{
			{Name: "routes", Do: func(ctx context.Context, w *engine.World) error { return routesToHalf(ctx, w, n) }},
			{Name: "one leaves", Do: lead(func(pods []workloads.Pod) []workloads.Pod { return pods[1 : len(pods)/2] })},
			{Name: "all join", Do: lead(func(pods []workloads.Pod) []workloads.Pod { return pods })},
			{Name: "others", Do: lead(func(pods []workloads.Pod) []workloads.Pod { return pods[len(pods)/2:] })},
			{Name: "none", Do: lead(func([]workloads.Pod) []workloads.Pod { return nil })},
			{Name: "one", Do: lead(func(pods []workloads.Pod) []workloads.Pod { return pods[:1] })},
			{Name: "the pods that left are deleted", Do: func(ctx context.Context, w *engine.World) error {
				var keys []workloads.Key
				for _, p := range frontOf(w).pods()[1:] {
					keys = append(keys, p.Key)
				}
				return w.Fleet.RemovePods(ctx, keys, workloads.Graceful)
			}},
		},
	}
})

// routesToHalf makes services of the first half of the pods, and a route to each.
func routesToHalf(ctx context.Context, w *engine.World, n int) error {
	f := frontOf(w)
	pods := f.pods()
	if len(pods) < 4 {
		return fmt.Errorf("there are %d pods: the scenario needs 4 at least", len(pods))
	}
	var services []workloads.Service
	var slices []workloads.EndpointSlice
	var routes []workloads.Object
	for i := range n {
		service, slice := f.Service(serviceName(i), pods[:len(pods)/2]...)
		services, slices, routes = append(services, service), append(slices, slice), append(routes, f.route(serviceName(i), host(i), service.Key))
	}
	return errors.Join(w.Fleet.AddServices(ctx, services), w.Fleet.AddEndpointSlices(ctx, slices), f.open(ctx), w.Fleet.Add(ctx, routes...))
}

// endpointsTo makes some of the pods those behind all services.
func endpointsTo(ctx context.Context, w *engine.World, n int, cut func([]workloads.Pod) []workloads.Pod) error {
	f := frontOf(w)
	pods := f.pods()
	var all []workloads.EndpointSlice
	for i := range n {
		all = append(all, f.Slice(workloads.Key{Namespace: pods[0].Namespace, Name: serviceName(i)}, cut(pods)...))
	}
	return w.Fleet.ChangeEndpointSlices(ctx, all)
}
