package workloads

import (
	"context"
	"fmt"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// HTTPRouteKind is the kind of HTTPRoutes.
const HTTPRouteKind Kind = "HTTPRoute"

// HTTPRoute leads requests that come in at Gateways to services of its namespace, by its rules.
type HTTPRoute struct {
	Key
	Parents []RouteParent
	Hosts   []string // each all of a name, or "*." and a domain for all names below it; none: any
	Rules   []HTTPRouteRule
	// Created is when the API made it, to the second. It decides between routes that match alike. Zero: it is not known; see Fleet.Date.
	Created time.Time
}

// RouteParent is what a route asks to be attached to.
type RouteParent struct {
	Gateway  Key
	Listener string // empty: all of the Gateway
}

// HTTPRouteRule is a rule of an HTTPRoute: it holds for what one of its matches matches.
type HTTPRouteRule struct {
	Matches  []HTTPRouteMatch // none: any request
	Backends []RouteBackend
}

// HTTPRouteMatch matches requests that have all that it says.
type HTTPRouteMatch struct {
	Path    string // that begins the request's by whole elements; empty: "/"
	Exact   bool   // Path is all of the request's
	Method  string // empty: any
	Headers map[string]string
	Query   map[string]string
}

// RouteBackend is a service that gets a share of a rule's requests.
type RouteBackend struct {
	Service string
	Port    int32
	Weight  int32 // of the sum of all; 0: it gets none
}

// Part names the HTTPRoute.
func (r HTTPRoute) Part() Part { return HTTPRouteKind.Part(r.Key) }

// HTTPRoutes are the HTTPRoutes.
func (s State) HTTPRoutes() Objects[HTTPRoute] { return Objects[HTTPRoute]{s, HTTPRouteKind} }

var httpRouteResource = schema.GroupVersionResource{Group: gatewayResource.Group, Version: "v1", Resource: "httproutes"}

var httpRoutes = &kind[HTTPRoute, unstructured.Unstructured]{
	name: HTTPRouteKind, word: "HTTP route", feature: GatewayRoutes, group: httpRouteResource.Group, resource: httpRouteResource.Resource, namespaced: true,
	object: func(_ *Fleet, r HTTPRoute) *unstructured.Unstructured {
		return specified(httpRouteResource, HTTPRouteKind, r.Key, r.spec())
	},
	client: func(c Clients, namespace string) writer[unstructured.Unstructured] {
		return dynamicWriter(c, httpRouteResource, namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Dynamic.Resource(httpRouteResource).List(ctx, o)
	},
	patch: func(r HTTPRoute) []edit { return respecifying(r.spec()) },
	amend: func(now, to HTTPRoute) HTTPRoute {
		to.Created = now.Created
		return to
	},
	equals: func(a, b HTTPRoute) bool {
		a.Created, b.Created = time.Time{}, time.Time{}
		return reflect.DeepEqual(a, b)
	},
}

func (r HTTPRoute) spec() map[string]any {
	var parents, rules []any
	for _, p := range r.Parents {
		parent := map[string]any{"namespace": p.Gateway.Namespace, "name": p.Gateway.Name}
		if p.Listener != "" {
			parent["sectionName"] = p.Listener
		}
		parents = append(parents, parent)
	}
	for _, rule := range r.Rules {
		rules = append(rules, rule.spec())
	}
	spec := map[string]any{"parentRefs": parents, "rules": rules}
	if len(r.Hosts) > 0 {
		var hosts []any
		for _, h := range r.Hosts {
			hosts = append(hosts, h)
		}
		spec["hostnames"] = hosts
	}
	return spec
}

func (r HTTPRouteRule) spec() map[string]any {
	rule := map[string]any{}
	var matches, backends []any
	for _, m := range r.Matches {
		matches = append(matches, m.spec())
	}
	for _, b := range r.Backends {
		backends = append(backends, map[string]any{"name": b.Service, "port": int64(b.Port), "weight": int64(b.Weight)})
	}
	if len(matches) > 0 {
		rule["matches"] = matches
	}
	if len(backends) > 0 {
		rule["backendRefs"] = backends
	}
	return rule
}

func (m HTTPRouteMatch) spec() map[string]any {
	match := map[string]any{}
	if m.Path != "" {
		kind := "PathPrefix"
		if m.Exact {
			kind = "Exact"
		}
		match["path"] = map[string]any{"type": kind, "value": m.Path}
	}
	if m.Method != "" {
		match["method"] = m.Method
	}
	for field, values := range map[string]map[string]string{"headers": m.Headers, "queryParams": m.Query} {
		var all []any
		for name, value := range values {
			all = append(all, map[string]any{"type": "Exact", "name": name, "value": value})
		}
		if len(all) > 0 {
			match[field] = all
		}
	}
	return match
}

// Date asks the API when HTTPRoutes were made, and notes it in the model.
func (f *Fleet) Date(ctx context.Context, keys ...Key) error {
	dated := make([]HTTPRoute, 0, len(keys))
	for _, key := range keys {
		object, err := f.cfg.Dynamic.Resource(httpRouteResource).Namespace(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("date HTTP route %s: %w", key, err)
		}
		route, ok := f.State().HTTPRoutes().Lookup(key)
		if !ok {
			return fmt.Errorf("date HTTP route %s: it is not in the model", key)
		}
		route.Created = object.GetCreationTimestamp().UTC()
		dated = append(dated, route)
	}
	f.begin("date HTTP routes", func(s *State) { put(s, dated) })()
	return nil
}
