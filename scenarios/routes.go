package scenarios

import (
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// shopfront is a cluster whose pods stand behind services, and routes that lead to them: Ingresses, or HTTPRoutes where the SUT routes by those.
type shopfront struct {
	routed.Front
	w            *engine.World
	gatewayClass string
}

func frontOf(w *engine.World) shopfront {
	return shopfront{routed.FrontOf(w), w, routed.DialectOf(w).GatewayClass}
}

// byGateway reports whether routes are HTTPRoutes.
func (f shopfront) byGateway() bool { return f.Class == "" && f.gatewayClass != "" }

// pods returns the local pods, oldest first: those that serve.
func (f shopfront) pods() []workloads.Pod {
	s := f.w.Fleet.State()
	pods := s.LocalPods()
	workloads.SortByAge(pods)
	return pods
}

// host is the name of a route's own.
func host(i int) string { return fmt.Sprintf("route-%d.example", i) }

// route leads all requests for a host to a service.
func (f shopfront) route(name, host string, service workloads.Key) workloads.Object {
	key := workloads.Key{Namespace: service.Namespace, Name: name}
	if f.byGateway() {
		return f.httpRoute(key, []string{host}, rule(service.Name))
	}
	return f.Route(name, host, service)
}

// routes are all routes that there are.
func (f shopfront) routes() (all []workloads.Part) {
	kind := workloads.IngressKind
	if f.byGateway() {
		kind = workloads.HTTPRouteKind
	}
	for _, key := range f.w.Fleet.State().Names(kind) {
		all = append(all, kind.Part(key))
	}
	return all
}

// partsOf names objects.
func partsOf(all []workloads.Object) (parts []workloads.Part) {
	for _, o := range all {
		parts = append(parts, o.Part())
	}
	return parts
}

// ask is the request for a host's root.
func ask(host string) routing.Request { return routing.Request{Host: host, Path: "/"} }

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }
