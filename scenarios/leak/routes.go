package leak

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

var (
	_ = register(churn{
		name: "routes", doc: "Routes come and go, each with a host, a service and a pod of its own; what the SUT holds must not grow.",
		thing: "route", objects: 10, topology: small, needs: ofRoutes, stand: standRoutes, turn: routesComeAndGo,
	})
	_ = register(churn{
		name: "endpoints-of-routes", doc: "Pods come and go behind routes that stand, in the place of those that stand; what the SUT holds must not grow.",
		thing: "endpoint", objects: 50, topology: small, needs: ofRoutes, stand: standRoutes, turn: endpointsExchanged,
	})
)

// standing routes are called by the number of their pod.
func standingRoute(i int) string { return fmt.Sprintf("standing-%d", i) }

// standRoutes makes a route to each local pod that stays. As in any scenario, requests for a sample of all routes go on meanwhile.
func standRoutes(ctx context.Context, w *engine.World) error {
	var names, hosts []string
	for i := range standing(w, true) {
		names, hosts = append(names, standingRoute(i)), append(hosts, standingRoute(i)+".example")
	}
	_, err := route(ctx, w, names, hosts, standing(w, true))
	return err
}

// routesComeAndGo rolls routes out as one does: first what is behind them. They go in the opposite order, and what is behind them only once no request
// can reach it any more.
func routesComeAndGo(ctx context.Context, w *engine.World, c *course) (func() error, error) {
	pods, err := c.successors(w, standing(w, true), c.objects)
	if err != nil {
		return nil, err
	}
	if err := w.Fleet.AddPods(ctx, pods); err != nil {
		return nil, err
	}
	var names, hosts []string
	for i := range pods {
		name := named("route", c.number(), i)
		names, hosts = append(names, name), append(hosts, name+".example")
	}
	routes, err := route(ctx, w, names, hosts, pods)
	return func() error {
		if err := errors.Join(w.Fleet.RemoveIngresses(ctx, routes), w.Converge(ctx)); err != nil {
			return err
		}
		return errors.Join(w.Fleet.RemoveEndpointSlices(ctx, routes), w.Fleet.RemoveServices(ctx, routes), w.Fleet.RemovePods(ctx, keys(pods), workloads.Graceful))
	}, err
}

// route makes a service of each pod, and a route to it that has the service's key.
func route(ctx context.Context, w *engine.World, names, hosts []string, pods []workloads.Pod) ([]workloads.Key, error) {
	front := routed.FrontOf(w)
	var all []workloads.Key
	var services []workloads.Service
	var slices []workloads.EndpointSlice
	var routes []workloads.Ingress
	for i, p := range pods {
		service, slice := front.Service(names[i], p)
		all, services, slices = append(all, service.Key), append(services, service), append(slices, slice)
		routes = append(routes, front.Route(names[i], hosts[i], service.Key))
	}
	return all, errors.Join(w.Fleet.AddServices(ctx, services), w.Fleet.AddEndpointSlices(ctx, slices), w.Fleet.AddIngresses(ctx, routes))
}

// endpointsExchanged exchanges the pod of each route that stands for others, which take after it, and has it back. No pod is there before and after, so
// that the first answer proves the change: they go once no request can reach them any more.
func endpointsExchanged(ctx context.Context, w *engine.World, c *course) (func() error, error) {
	stand := standing(w, true)
	pods, err := c.successors(w, stand, c.objects)
	if err != nil {
		return nil, err
	}
	if err := w.Fleet.AddPods(ctx, pods); err != nil {
		return nil, err
	}
	var alone, joined []workloads.EndpointSlice
	front := routed.FrontOf(w)
	for i, p := range stand {
		_, slice := front.Service(standingRoute(i), p)
		var all []workloads.Pod
		for j := i; j < len(pods); j += len(stand) {
			all = append(all, pods[j])
		}
		alone, joined = append(alone, slice), append(joined, front.Slice(slice.Key, all...))
	}
	return func() error {
		if err := errors.Join(w.Fleet.ChangeEndpointSlices(ctx, alone), w.Converge(ctx)); err != nil {
			return err
		}
		return w.Fleet.RemovePods(ctx, keys(pods), workloads.Graceful)
	}, w.Fleet.ChangeEndpointSlices(ctx, joined)
}
