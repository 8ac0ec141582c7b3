package scenarios

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// shopfront is a cluster whose pods stand behind services, and routes that lead to them: Ingresses, or HTTPRoutes where the SUT routes by those.
type shopfront struct {
	w                   *engine.World
	class, gatewayClass string
}

func frontOf(w *engine.World) shopfront {
	d := routed.DialectOf(w)
	return shopfront{w, d.IngressClass, d.GatewayClass}
}

// byGateway reports whether routes are HTTPRoutes.
func (f shopfront) byGateway() bool { return f.class == "" && f.gatewayClass != "" }

// frontPort is the port of all services.
const frontPort = 80

// pods returns the local pods, oldest first: those that serve.
func (f shopfront) pods() []workloads.Pod {
	s := f.w.Fleet.State()
	pods := s.LocalPods()
	workloads.SortByAge(pods)
	return pods
}

// service is one of some pods of a namespace, with its endpoints.
func (f shopfront) service(name string, pods ...workloads.Pod) (workloads.Service, workloads.EndpointSlice) {
	key := workloads.Key{Namespace: pods[0].Namespace, Name: name}
	return workloads.Service{Key: key, Ports: []workloads.ServicePort{{Name: "http", Port: frontPort, Target: routed.BackendPort}}}, f.slice(key, pods...)
}

// slice holds the endpoints of a service.
func (f shopfront) slice(service workloads.Key, pods ...workloads.Pod) workloads.EndpointSlice {
	slice := workloads.EndpointSlice{Key: service, Service: service.Name, Ports: []workloads.EndpointPort{{Name: "http", Port: routed.BackendPort}}}
	for _, p := range pods {
		if e, ok := workloads.EndpointOf(p, false); ok {
			slice.Endpoints = append(slice.Endpoints, e)
		}
	}
	return slice
}

// host is the name of a route's own.
func host(i int) string { return fmt.Sprintf("route-%d.example", i) }

// route leads all requests for a host to a service.
func (f shopfront) route(name, host string, service workloads.Key) workloads.Object {
	key := workloads.Key{Namespace: service.Namespace, Name: name}
	if f.byGateway() {
		return f.httpRoute(key, []string{host}, rule(service.Name))
	}
	return f.ingress(key, f.rule(host, f.path("/", false, service.Name)))
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

func (f shopfront) ingress(key workloads.Key, rules ...networkingv1.IngressRule) workloads.Ingress {
	return workloads.Ingress{Key: key, Spec: networkingv1.IngressSpec{IngressClassName: &f.class, Rules: rules}}
}

func (f shopfront) rule(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}
}

func (f shopfront) path(pattern string, exact bool, service string) networkingv1.HTTPIngressPath {
	kind := networkingv1.PathTypePrefix
	if exact {
		kind = networkingv1.PathTypeExact
	}
	return networkingv1.HTTPIngressPath{Path: pattern, PathType: &kind, Backend: backendOf(service)}
}

func backendOf(service string) networkingv1.IngressBackend {
	return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: frontPort}}}
}

// ask is the request for a host's root.
func ask(host string) routing.Request { return routing.Request{Host: host, Path: "/"} }

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }
