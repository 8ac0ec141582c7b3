package scenarios

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// precedence is a scenario of some routes that match the same requests, and of what is asked besides one request for each route.
func precedence(
	need workloads.Feature, name, doc string, routes func(f shopfront, to []string, in string) []workloads.Object, asked ...routing.Request,
) func(Params) engine.Scenario {
	const services = 5
	return func(p Params) engine.Scenario {
		return engine.Scenario{
			Name: name, Doc: doc, Labels: []engine.Label{Requests, Basic}, Needs: []workloads.Feature{need, workloads.ProxiedRequests}, Timeout: brief,
			Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: services, Local: -1},
			Steps: []engine.Step{
				{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, services) }},
				{Name: "routes", Do: func(ctx context.Context, w *engine.World) error {
					var to []string
					for i := range services {
						to = append(to, serviceName(i))
					}
					f := frontOf(w)
					err := w.Fleet.Add(ctx, routes(f, to, f.pods()[0].Namespace)...)
					e, _ := routed.ProxiedOf(w)
					return errors.Join(err, e.Expect(ctx, w, asked...))
				}},
			},
		}
	}
}

// paths are requests for paths of a host.
func paths(host string, all ...string) (asked []routing.Request) {
	for _, p := range all {
		asked = append(asked, routing.Request{Host: host, Path: p})
	}
	return asked
}

var (
	_ = register(precedence(workloads.HTTPRouting, "route precedence",
		"Of several prefixes that match, by whole elements of the path, the longest counts; a wildcard stands for one label; what no rule matches is not found.",
		func(f shopfront, to []string, in string) []workloads.Object {
			return []workloads.Object{
				f.Ingress(workloads.Key{Namespace: in, Name: "prefixes"},
					f.Rule("p.example", f.Path("/", false, to[0]), f.Path("/foo", false, to[1]), f.Path("/foo/bar/", false, to[2])), f.Rule("q.example", f.Path("/only", false, to[3]))),
				f.Ingress(workloads.Key{Namespace: in, Name: "wildcard"}, f.Rule("*.wild.example", f.Path("/", false, to[4]))),
			}
		},
		append(paths("p.example", "/", "/foo", "/foo/", "/foobar", "/foo/x", "/foo/bar", "/foo/barn", "/foo/bar/x", "/FOO", "/x/foo"),
			append(paths("q.example", "/", "/only", "/only/x", "/onlyx"), append(paths("a.wild.example", "/"), append(paths("wild.example", "/"), paths("a.b.wild.example", "/")...)...)...)...)...,
	))
	_ = register(precedence(workloads.HTTPRouting, "exact path before prefix",
		"An exact path counts for what it says alone, before a prefix that is as long or shorter.",
		func(f shopfront, to []string, in string) []workloads.Object {
			return []workloads.Object{f.Ingress(workloads.Key{Namespace: in, Name: "exact"},
				f.Rule("e.example", f.Path("/foo", false, to[0]), f.Path("/foo", true, to[1]), f.Path("/foo/bar", true, to[2])))}
		},
		paths("e.example", "/foo", "/foo/", "/foo/bar", "/foo/bar/", "/foo/bar/x", "/bar")...,
	))
	_ = register(precedence(workloads.HTTPRouting, "default backend",
		"What no rule of an Ingress matches is for its default backend, whether it has rules or not.",
		func(f shopfront, to []string, in string) []workloads.Object {
			with := f.Ingress(workloads.Key{Namespace: in, Name: "with-rules"}, f.Rule("d.example", f.Path("/foo", false, to[0])))
			fallback := routed.Backend(to[1])
			with.Spec.DefaultBackend = &fallback
			return []workloads.Object{with}
		},
		append(paths("d.example", "/foo", "/", "/bar"), paths("nobody.example", "/")...)...,
	))
)
