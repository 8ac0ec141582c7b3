package routed

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// FrontPort is the port of the services that Front makes.
const FrontPort = 80

// Front makes the objects of routes, for a SUT that takes the Ingresses of a class.
type Front struct{ Class string }

// FrontOf makes those of the SUT of a world.
func FrontOf(w *engine.World) Front { return Front{DialectOf(w).IngressClass} }

// Service is one of some pods of a namespace, with its endpoints.
func (f Front) Service(name string, pods ...workloads.Pod) (workloads.Service, workloads.EndpointSlice) {
	key := workloads.Key{Namespace: pods[0].Namespace, Name: name}
	return workloads.Service{Key: key, Ports: []workloads.ServicePort{{Name: "http", Port: FrontPort, Target: BackendPort}}}, f.Slice(key, pods...)
}

// Slice holds the endpoints of a service.
func (f Front) Slice(service workloads.Key, pods ...workloads.Pod) workloads.EndpointSlice {
	slice := workloads.EndpointSlice{Key: service, Service: service.Name, Ports: []workloads.EndpointPort{{Name: "http", Port: BackendPort}}}
	for _, p := range pods {
		if e, ok := workloads.EndpointOf(p, false); ok {
			slice.Endpoints = append(slice.Endpoints, e)
		}
	}
	return slice
}

// Route is an Ingress that leads all requests for a host to a service.
func (f Front) Route(name, host string, service workloads.Key) workloads.Ingress {
	return f.Ingress(workloads.Key{Namespace: service.Namespace, Name: name}, f.Rule(host, f.Path("/", false, service.Name)))
}

// Ingress is one of the class with some rules.
func (f Front) Ingress(key workloads.Key, rules ...networkingv1.IngressRule) workloads.Ingress {
	return workloads.Ingress{Key: key, Spec: networkingv1.IngressSpec{IngressClassName: &f.Class, Rules: rules}}
}

// Rule is what an Ingress says of a host.
func (f Front) Rule(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}
}

// Path leads what begins with a pattern, or is exactly it, to a service.
func (f Front) Path(pattern string, exact bool, service string) networkingv1.HTTPIngressPath {
	kind := networkingv1.PathTypePrefix
	if exact {
		kind = networkingv1.PathTypeExact
	}
	return networkingv1.HTTPIngressPath{Path: pattern, PathType: &kind, Backend: Backend(service)}
}

// Backend is a service of Front's.
func Backend(service string) networkingv1.IngressBackend {
	return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: FrontPort}}}
}
