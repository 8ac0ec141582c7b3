package scenarios

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// below is a match of a path that begins a request's.
func below(path string) workloads.HTTPRouteMatch { return workloads.HTTPRouteMatch{Path: path} }

// exactly is a match of a whole path.
func exactly(path string) workloads.HTTPRouteMatch {
	return workloads.HTTPRouteMatch{Path: path, Exact: true}
}

// asks are so many headers, or parameters of a query.
func asks(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all["x-"+string(rune('a'+i))] = "1"
	}
	return all
}

// asking are requests for a path of a host, each with something more.
func asking(host, path string, more ...func(*routing.Request)) (all []routing.Request) {
	for _, m := range more {
		r := routing.Request{Host: host, Path: path}
		m(&r)
		all = append(all, r)
	}
	return all
}

func posted(r *routing.Request) { r.Method = "POST" }

func headed(n int) func(*routing.Request) { return func(r *routing.Request) { r.Header = asks(n) } }

func queried(n int) func(*routing.Request) { return func(r *routing.Request) { r.Query = asks(n) } }

var (
	_ = register(precedence(workloads.GatewayRoutes, "rules of an HTTP route",
		"Rules match by path, method, headers and query: an exact path counts before a prefix, then the longest prefix by whole elements, a method, the most headers, the most"+
			" parameters, and the first rule.",
		func(f shopfront, to []string, in string) []workloads.Object {
			return []workloads.Object{f.httpRoute(workloads.Key{Namespace: in, Name: "rules"}, []string{"g.example"},
				rule(to[0], below("/"), workloads.HTTPRouteMatch{Path: "/query", Query: asks(1)}),
				rule(to[1], below("/foo"), below("/query")),
				rule(to[2], exactly("/foo"), below("/foo/bar/"), workloads.HTTPRouteMatch{Path: "/query", Query: asks(2)}),
				rule(to[3], workloads.HTTPRouteMatch{Path: "/foo", Headers: asks(1)}, workloads.HTTPRouteMatch{Path: "/method", Headers: asks(2)}),
				rule(to[4], workloads.HTTPRouteMatch{Path: "/foo", Headers: asks(2)}, workloads.HTTPRouteMatch{Path: "/method", Method: "POST"}),
				rule(to[0], below("/twice")), rule(to[1], below("/twice")),
			)}
		},
		append(append(paths("g.example", "/", "/foo", "/foo/", "/foobar", "/foo/x", "/foo/bar", "/foo/barn", "/foo/bar/x", "/FOO", "/x/foo", "/method", "/twice"),
			append(asking("g.example", "/foo/x", headed(1), headed(2), headed(3), posted), asking("g.example", "/method", headed(2), posted,
				func(r *routing.Request) { r.Method, r.Header = "POST", asks(2) })...)...),
			append(asking("g.example", "/query", queried(1), queried(2)), asking("h.example", "/", posted)...)...)...,
	))
	_ = register(precedence(workloads.GatewayRoutes, "longest prefix before method and headers",
		"Of several prefixes of HTTPRoutes that match the longest counts, whatever method, headers and query others ask for, and before the order of rules what they ask for.",
		func(f shopfront, to []string, in string) []workloads.Object {
			many := []workloads.HTTPRouteRule{rule(to[0], below("/order"))}
			for range 10 {
				many = append(many, rule(to[0], below("/unused")))
			}
			return []workloads.Object{f.httpRoute(workloads.Key{Namespace: in, Name: "longest"}, []string{"l.example"},
				rule(to[1], workloads.HTTPRouteMatch{Path: "/a", Headers: asks(3)}, workloads.HTTPRouteMatch{Path: "/a", Method: "POST"}), rule(to[2], below("/a/b")),
				rule(to[3], workloads.HTTPRouteMatch{Path: "/c", Headers: asks(1)}), rule(to[4], workloads.HTTPRouteMatch{Path: "/c", Query: asks(3)}),
			), f.httpRoute(workloads.Key{Namespace: in, Name: "many"}, []string{"m.example"}, append(many, rule(to[1], workloads.HTTPRouteMatch{Path: "/order", Query: asks(1)}))...)}
		},
		append(asking("l.example", "/a/b", headed(0), headed(3), posted), asking("m.example", "/order", queried(0), queried(1))...)...,
	))
	_ = register(precedence(workloads.GatewayRoutes, "most specific host first",
		"Of several HTTPRoutes that match, that of the most specific host counts, whatever their paths: the name itself before a wildcard, and a long wildcard before a short one.",
		func(f shopfront, to []string, in string) []workloads.Object {
			key := func(name string) workloads.Key { return workloads.Key{Namespace: in, Name: name} }
			return []workloads.Object{
				f.httpRoute(key("name"), []string{"shop.h.example"}, rule(to[0])),
				f.httpRoute(key("wildcard"), []string{"*.h.example"}, rule(to[1], below("/"), below("/foo"))),
				f.httpRoute(key("short"), []string{"*.example"}, rule(to[2], below("/"), below("/foo/bar"))),
				f.httpRoute(key("any"), nil, rule(to[3], exactly("/foo"))),
			}
		},
		append(paths("shop.h.example", "/", "/foo", "/foo/bar"), append(paths("a.b.h.example", "/", "/foo", "/foo/bar"), paths("x.example", "/foo", "/foo/bar")...)...)...,
	))
	_ = register(precedence(workloads.GatewayRoutes, "name of one letter before wildcard",
		"Of two HTTPRoutes that of the name itself counts before that of a wildcard that is as long, and before that of a wildcard that has a long name besides.",
		func(f shopfront, to []string, in string) []workloads.Object {
			key := func(name string) workloads.Key { return workloads.Key{Namespace: in, Name: name} }
			var all []workloads.Object
			for i := range 8 { // each is a chance of its own that the wrong one comes first
				domain := string(rune('a'+i)) + "letter.example"
				all = append(all, f.httpRoute(key(domain), []string{"x." + domain}, rule(to[0])), f.httpRoute(key("wild-"+domain), []string{"*." + domain}, rule(to[1])))
			}
			return append(all, f.httpRoute(key("name"), []string{"shop.j.example"}, rule(to[2])),
				f.httpRoute(key("wildcard"), []string{"*.j.example", "a-name-that-is-much-longer.elsewhere.example"}, rule(to[3])))
		},
		append(paths("x.aletter.example", "/"), append(paths("x.bletter.example", "/"), paths("shop.j.example", "/")...)...)...,
	))
	_ = register(olderRoute)
)

// olderRoute is a scenario of HTTPRoutes that match alike.
func olderRoute(Params) engine.Scenario {
	add := func(name string, rules func() []workloads.HTTPRouteRule, hosts ...string) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			f := frontOf(w)
			route := f.httpRoute(workloads.Key{Namespace: f.pods()[0].Namespace, Name: name}, hosts, rules()...)
			next := engine.Pause(ctx, time.Second+10*time.Millisecond) // the API's times are whole seconds
			return errors.Join(next, w.Fleet.Add(ctx, route), w.Fleet.Date(ctx, route.Key))
		}}
	}
	one := func(service int) func() []workloads.HTTPRouteRule {
		return func() []workloads.HTTPRouteRule {
			return []workloads.HTTPRouteRule{rule(serviceName(service), below("/"))}
		}
	}
	return engine.Scenario{
		Name: "oldest HTTP route first", Labels: []engine.Label{Requests, Basic}, Needs: []workloads.Feature{workloads.GatewayRoutes, workloads.ProxiedRequests}, Timeout: brief,
		Doc:      "Of HTTPRoutes that match alike the oldest counts, whatever they are called and how many rules they have.",
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: 3, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, 3) }},
			add("the-first", one(0), "o.example", "p.example"),
			add("a-second", one(1), "o.example"),
			add("a-third", func() []workloads.HTTPRouteRule {
				return append(one(2)(), rule(serviceName(2), below("/third")))
			}, "p.example"),
			{Name: "asked", Do: func(ctx context.Context, w *engine.World) error {
				return must(routed.ProxiedOf(w)).Expect(ctx, w, append(paths("o.example", "/"), paths("p.example", "/", "/third")...)...)
			}},
		},
	}
}
