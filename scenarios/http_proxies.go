package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	f := &routeField{routes: or(p.Routes, 10), endpoints: or(p.Endpoints, 30)}
	put := func(name string, proxies func(*engine.World) []workloads.HTTPProxy) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			for _, proxy := range proxies(w) {
				change := w.Fleet.AddHTTPProxies
				if w.Fleet.State().HTTPProxies().Has(proxy.Key) {
					change = w.Fleet.ChangeHTTPProxies
				}
				if err := change(ctx, []workloads.HTTPProxy{proxy}); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	one := func(routes ...workloads.HTTPProxyRoute) func(*engine.World) []workloads.HTTPProxy {
		return func(w *engine.World) []workloads.HTTPProxy { return []workloads.HTTPProxy{f.proxy(w, 0, routes...)} }
	}
	to := func(service int, weight int64) workloads.HTTPProxyService {
		return workloads.HTTPProxyService{Name: f.name(service), Port: 8080, Weight: weight}
	}
	on := func(prefix string, headers map[string]string, services ...workloads.HTTPProxyService) workloads.HTTPProxyRoute {
		return workloads.HTTPProxyRoute{Prefix: prefix, Headers: headers, Services: services}
	}
	v2 := map[string]string{"x-version": "2"}
	return engine.Scenario{
		Name: "HTTP proxies",
		Doc: "An HTTPProxy gets and loses routes by prefix and header, services that share requests by weight and services that don't exist; many come and go; two have one" +
			" host.",
		Labels:   []engine.Label{Requests},
		Needs:    []workloads.Feature{workloads.HTTPProxies, workloads.ProxyConfig}, // its endpoints are addresses where nobody answers
		Timeout:  10 * time.Minute,
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: 1, RemoteNodes: 1},
		Steps: []engine.Step{
			{Name: "services", Do: f.serve},
			put("one route", one(on("", nil, to(0, 0)))),
			put("prefixes", one(on("", nil, to(0, 0)), on("/a", nil, to(1, 0)), on("/a/b", nil, to(2, 0)))),
			put("headers", one(on("/a", nil, to(1, 0)), on("/a", v2, to(2, 0)))),
			put("weights", one(on("", nil, to(0, 90), to(1, 10), to(2, 0)))),
			put("alike", one(on("", nil, to(0, 0), to(1, 0)))),
			put("a service is not there", one(on("", nil, workloads.HTTPProxyService{Name: "nobody", Port: 8080}), on("/a", nil, to(1, 0)))),
			put("one of two is not there", one(on("", nil, workloads.HTTPProxyService{Name: "nobody", Port: 8080, Weight: 50}, to(1, 50)))),
			put("many", func(w *engine.World) (all []workloads.HTTPProxy) {
				for i := range f.routes {
					all = append(all, f.proxy(w, i, on("", nil, to(i, 0))))
				}
				return all
			}),
			put("a wildcard", func(w *engine.World) []workloads.HTTPProxy {
				proxy := f.proxy(w, 1, on("", nil, to(1, 0)))
				proxy.Host = "*.wild.example"
				return []workloads.HTTPProxy{proxy}
			}),
			put("two of one host", func(w *engine.World) []workloads.HTTPProxy {
				proxy := f.proxy(w, 2, on("", nil, to(2, 0)))
				proxy.Host = f.proxy(w, 3).Host
				return []workloads.HTTPProxy{proxy}
			}),
			put("each its own again", func(w *engine.World) []workloads.HTTPProxy {
				return []workloads.HTTPProxy{f.proxy(w, 2, on("", nil, to(2, 0)))}
			}),
			{Name: "none", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemoveHTTPProxies(ctx, w.Fleet.State().HTTPProxies().Keys())
			}},
		},
	}
})

// proxy leads from the route's host by these routes.
func (f *routeField) proxy(w *engine.World, i int, routes ...workloads.HTTPProxyRoute) workloads.HTTPProxy {
	return workloads.HTTPProxy{Key: f.key(w, i), Class: routed.DialectOf(w).IngressClass, Host: f.request(w, i).Host, Routes: routes}
}
