package scenarios

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// halls is a Gateway of several listeners: one for a name, two for the names below a domain. The second wildcard is open to all namespaces.
func (f shopfront) halls(open string) workloads.Gateway {
	g := f.gateway()
	port := g.Listeners[0].Port
	g.Name, g.Listeners = "halls", []workloads.Listener{
		{Name: "name", Port: port, Host: "name.example"}, {Name: "below", Port: port, Host: "*.below.example"}, {Name: "open", Port: port, Host: open, Open: true},
	}
	return g
}

const openHost, otherHost = "*.open.example", "*.other.example"

// attached are routes to the listeners of the Gateway: of any host, of some hosts, to one listener, and of another namespace.
func (f shopfront) attached() (all []workloads.Object) {
	pods := f.pods()
	home, abroad := pods[0].Namespace, pods[1].Namespace
	for i, r := range []workloads.HTTPRoute{
		{Key: workloads.Key{Namespace: home, Name: "any"}},
		{Key: workloads.Key{Namespace: home, Name: "hosts"}, Hosts: []string{"shop.below.example", "*.deep.below.example", "shop.foreign.example"}},
		{Key: workloads.Key{Namespace: home, Name: "section"}, Parents: []workloads.RouteParent{{Listener: "open"}}, Hosts: []string{"one.open.example", "one.other.example", "name.example"}},
		{Key: workloads.Key{Namespace: abroad, Name: "abroad"}, Hosts: []string{"*.example"}},
	} {
		if len(r.Parents) == 0 {
			r.Parents = []workloads.RouteParent{{}}
		}
		r.Parents[0].Gateway = f.halls("").Key
		// Paths of their own, as long as each other: which host counts is for other scenarios.
		r.Rules = []workloads.HTTPRouteRule{rule(f.serviceIn(r.Namespace), below("/"+[]string{"a", "b", "c", "d"}[i]))}
		all = append(all, r)
	}
	return all
}

// serviceIn is a service of a namespace of those that serveEach makes.
func (f shopfront) serviceIn(namespace string) string {
	for i, p := range f.pods() {
		if p.Namespace == namespace {
			return serviceName(i)
		}
	}
	return ""
}

var _ = register(func(Params) engine.Scenario {
	var asked []routing.Request
	for _, host := range []string{
		"name.example", "x.name.example", "below.example", "any.below.example", "shop.below.example", "a.b.below.example", "x.deep.below.example", "shop.foreign.example",
		"one.open.example", "two.open.example", "a.b.open.example", "one.other.example", "open.example",
	} {
		asked = append(asked, paths(host, "/a", "/b", "/c", "/d")...)
	}
	expect := func(ctx context.Context, w *engine.World) error {
		return must(routed.ProxiedOf(w)).Expect(ctx, w, asked...)
	}
	step := func(name string, do func(context.Context, *engine.World, shopfront) error) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			if err := do(ctx, w, frontOf(w)); err != nil {
				return err
			}
			return expect(ctx, w)
		}}
	}
	return engine.Scenario{
		Name: "listeners of a gateway", Labels: []engine.Label{Requests, Basic}, Needs: []workloads.Feature{workloads.GatewayRoutes, workloads.ProxiedRequests}, Timeout: brief,
		Doc: "Routes are attached to the listeners that they name, under the hosts that both have, from the namespaces that are let in; a listener gets another host, the Gateway" +
			" goes and is back.",
		Topology: workloads.Topology{Namespaces: 2, PodsPerNamespace: 1, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, 2) }},
			step("routes", func(ctx context.Context, w *engine.World, f shopfront) error {
				return errors.Join(w.Fleet.Add(ctx, f.halls(openHost)), w.Fleet.Add(ctx, f.attached()...))
			}),
			step("another host", func(ctx context.Context, w *engine.World, f shopfront) error {
				return w.Fleet.Change(ctx, f.halls(otherHost))
			}),
			step("no gateway", func(ctx context.Context, w *engine.World, f shopfront) error {
				return w.Fleet.Remove(ctx, f.halls("").Part())
			}),
			step("the gateway again", func(ctx context.Context, w *engine.World, f shopfront) error {
				return w.Fleet.Add(ctx, f.halls(openHost))
			}),
		},
	}
})
