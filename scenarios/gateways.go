package scenarios

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
)

// gateway is the Gateway of all routes, open to all namespaces: it listens for HTTP, and for TLS under the hosts of some listeners.
func (f shopfront) gateway(secured ...workloads.Listener) workloads.Gateway {
	p := must(routed.ProxiedOf(f.w))
	g := workloads.Gateway{
		Key: workloads.Key{Namespace: f.pods()[0].Namespace, Name: "front"}, Class: f.gatewayClass,
		Listeners: []workloads.Listener{{Name: "http", Port: int32(p.HTTP.Port()), Open: true}},
	}
	for _, l := range secured {
		l.Port, l.Open = int32(p.HTTPS.Port()), true
		g.Listeners = append(g.Listeners, l)
	}
	return g
}

// open makes the Gateway of all routes, where routes need one.
func (f shopfront) open(ctx context.Context) error {
	if !f.byGateway() {
		return nil
	}
	return f.w.Fleet.Add(ctx, f.gateway())
}

// openTLS lets the Gateway of all routes listen for TLS under any host, where routes need one.
func (f shopfront) openTLS(ctx context.Context) error {
	if !f.byGateway() {
		return nil
	}
	cert, key, err := selfSigned("front.example", 1)
	if err != nil {
		return err
	}
	g := f.gateway(workloads.Listener{Name: "tls", Secret: "front"})
	secret := workloads.Secret{Key: workloads.Key{Namespace: g.Namespace, Name: "front"}, Certificate: cert, PrivateKey: key}
	return errors.Join(f.w.Fleet.Add(ctx, secret), f.w.Fleet.Change(ctx, g))
}

// httpRoute is attached to the Gateway of all routes.
func (f shopfront) httpRoute(key workloads.Key, hosts []string, rules ...workloads.HTTPRouteRule) workloads.HTTPRoute {
	return workloads.HTTPRoute{Key: key, Parents: []workloads.RouteParent{{Gateway: f.gateway().Key}}, Hosts: hosts, Rules: rules}
}

// rule leads to a service what some matches match.
func rule(service string, matches ...workloads.HTTPRouteMatch) workloads.HTTPRouteRule {
	return workloads.HTTPRouteRule{Matches: matches, Backends: []workloads.RouteBackend{{Service: service, Port: routed.FrontPort, Weight: 1}}}
}
