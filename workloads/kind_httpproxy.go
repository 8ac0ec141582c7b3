package workloads

import (
	"context"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// HTTPProxyKind is the kind of HTTPProxies.
const HTTPProxyKind Kind = "HTTPProxy"

// HTTPProxy leads requests for one host to services, by its routes.
type HTTPProxy struct {
	Key
	Class  string // of the router that is to look at it
	Host   string // all of a name, or "*." and a domain
	Secret string // with the certificate, in the same namespace; empty: no TLS
	Routes []HTTPProxyRoute
}

// HTTPProxyRoute is a route of an HTTPProxy: of those that match the one with the longest prefix counts, of these the one with the most headers.
type HTTPProxyRoute struct {
	Prefix   string            // that begins the path, byte by byte; empty: "/"
	Headers  map[string]string // that a request must have, with just these values
	Services []HTTPProxyService
}

// HTTPProxyService is a service that gets a share of a route's requests.
type HTTPProxyService struct {
	Name   string
	Port   int32
	Weight int64 // of the sum of all; if all are 0 they share alike
}

// Part names the HTTPProxy.
func (p HTTPProxy) Part() Part { return HTTPProxyKind.Part(p.Key) }

// HTTPProxies are the HTTPProxies.
func (s State) HTTPProxies() Objects[HTTPProxy] { return Objects[HTTPProxy]{s, HTTPProxyKind} }

var httpProxyResource = schema.GroupVersionResource{Group: "projectcontour.io", Version: "v1", Resource: "httpproxies"}

var httpProxies = &kind[HTTPProxy, unstructured.Unstructured]{
	name: HTTPProxyKind, word: "HTTP proxy", feature: HTTPProxies, group: httpProxyResource.Group, resource: httpProxyResource.Resource, namespaced: true,
	object: func(_ *Fleet, p HTTPProxy) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": p.spec()}}
		object.SetGroupVersionKind(httpProxyResource.GroupVersion().WithKind(string(HTTPProxyKind)))
		object.SetNamespace(p.Namespace)
		object.SetName(p.Name)
		object.SetLabels(owned(nil))
		return object
	},
	client: func(c Clients, namespace string) writer[unstructured.Unstructured] {
		return dynamicWriter(c, httpProxyResource, namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Dynamic.Resource(httpProxyResource).List(ctx, o)
	},
	patch: func(p HTTPProxy) []edit { return respecifying(p.spec()) },
}

func (p HTTPProxy) spec() map[string]any {
	host := map[string]any{"fqdn": p.Host}
	if p.Secret != "" {
		host["tls"] = map[string]any{"secretName": p.Secret}
	}
	var routes []any
	for _, r := range p.Routes {
		var conditions, services []any
		if r.Prefix != "" {
			conditions = append(conditions, map[string]any{"prefix": r.Prefix})
		}
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			conditions = append(conditions, map[string]any{"header": map[string]any{"name": name, "exact": r.Headers[name]}})
		}
		for _, s := range r.Services {
			services = append(services, map[string]any{"name": s.Name, "port": int64(s.Port), "weight": s.Weight})
		}
		routes = append(routes, map[string]any{"conditions": conditions, "services": services})
	}
	return map[string]any{"ingressClassName": p.Class, "virtualhost": host, "routes": routes}
}

// AddHTTPProxies makes HTTPProxies.
func (f *Fleet) AddHTTPProxies(ctx context.Context, all []HTTPProxy) error {
	return httpProxies.add(ctx, f, all)
}

// ChangeHTTPProxies gives HTTPProxies that exist what they have here.
func (f *Fleet) ChangeHTTPProxies(ctx context.Context, all []HTTPProxy) error {
	return httpProxies.alter(ctx, f, all)
}

// RemoveHTTPProxies removes HTTPProxies.
func (f *Fleet) RemoveHTTPProxies(ctx context.Context, keys []Key) error {
	return httpProxies.drop(ctx, f, keys)
}
