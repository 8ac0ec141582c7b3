package routing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// httpProxy says what HTTPProxies make of a request; false: none of them has anything to say.
//
// A host is of one HTTPProxy: where two have it, neither counts. Its name itself comes before a wildcard of one label. Of the routes that match the one
// with the longest prefix counts, and of these the one with the most headers. Services that don't exist get no requests; without any other the
// answer is 503.
func (d Dialect) httpProxy(o Objects, r Request) (a Answer, matched bool) {
	for _, host := range hostsFor(r.Host) {
		of := slices.DeleteFunc(slices.Clone(o.HTTPProxies), func(p workloads.HTTPProxy) bool { return p.Class != d.IngressClass || p.Host != host })
		if len(of) != 1 || r.TLS && of[0].Secret == "" {
			continue
		}
		route, ok := proxyRoute(of[0], r)
		if !ok {
			return a, false // its virtual host has no such path
		}
		return d.shared(o, of[0], route), true
	}
	return a, false
}

// proxyRoute is the route of an HTTPProxy that counts for a request.
func proxyRoute(p workloads.HTTPProxy, r Request) (route workloads.HTTPProxyRoute, ok bool) {
	all := slices.DeleteFunc(slices.Clone(p.Routes), func(route workloads.HTTPProxyRoute) bool {
		for name, value := range route.Headers {
			if r.Header[name] != value {
				return true
			}
		}
		return !strings.HasPrefix(r.Path, cmp.Or(route.Prefix, "/"))
	})
	if len(all) == 0 {
		return route, false
	}
	return slices.MinFunc(all, func(a, b workloads.HTTPProxyRoute) int {
		return cmp.Or(cmp.Compare(len(cmp.Or(b.Prefix, "/")), len(cmp.Or(a.Prefix, "/"))), cmp.Compare(len(b.Headers), len(a.Headers)))
	}), true
}

// shared is the answer of a route whose services share its requests by their weights.
func (d Dialect) shared(o Objects, p workloads.HTTPProxy, route workloads.HTTPProxyRoute) Answer {
	a := Answer{By: []workloads.Part{p.Part()}}
	alike := !slices.ContainsFunc(route.Services, func(s workloads.HTTPProxyService) bool { return s.Weight > 0 })
	for _, s := range route.Services {
		b := backend{service: workloads.Key{Namespace: p.Namespace, Name: s.Name}, port: s.Port}
		if _, there := o.served(b); there && (alike || s.Weight > 0) {
			a = a.Join(d.towards(o, b, p.Part()))
		}
	}
	if len(a.Backends)+len(a.Statuses) == 0 {
		a.Statuses = []int{d.noEndpoints()}
	}
	return a
}

// proxyRequests returns one request for each route of the HTTPProxies that are the router's own.
func (d Dialect) proxyRequests(s workloads.State) (all []Request) {
	for _, p := range s.HTTPProxies().All() {
		if p.Class != d.IngressClass {
			continue
		}
		for _, route := range p.Routes {
			all = append(all, Request{
				Host: aHost(p.Host), Path: strings.TrimSuffix(cmp.Or(route.Prefix, "/"), "/") + "/below", TLS: p.Secret != "", Header: route.Headers,
			})
		}
	}
	return all
}
