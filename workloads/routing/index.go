package routing

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// Index finds the few objects that can make a difference to a request. What an object is, or may be, is for who asks to say: so there can be several
// versions of one.
type Index struct {
	near map[place]map[workloads.Part]int
}

// place is where an object is near: a host of requests ("" for all of them), all names below a domain, or a service.
type place struct {
	host    string
	below   string
	service workloads.Key
}

// NewIndex returns the index of a state.
func NewIndex(s workloads.State) *Index {
	x := &Index{near: map[place]map[workloads.Part]int{}}
	for _, i := range s.Ingresses().All() {
		x.Claim(i, 1)
	}
	for _, p := range s.HTTPProxies().All() {
		x.Claim(p, 1)
	}
	for _, r := range s.HTTPRoutes().All() {
		x.Claim(r, 1)
	}
	for _, e := range s.EndpointSlices().All() {
		x.Claim(e, 1)
	}
	return x
}

// Claim counts a version of an object in (by 1) or out (by -1).
func (x *Index) Claim(o workloads.Object, by int) {
	if o == nil {
		return
	}
	part := o.Part()
	for _, at := range places(o) {
		if x.near[at] == nil {
			x.near[at] = map[workloads.Part]int{}
		}
		x.near[at][part] += by
		if x.near[at][part] <= 0 {
			delete(x.near[at], part)
		}
		if len(x.near[at]) == 0 {
			delete(x.near, at)
		}
	}
}

func places(o workloads.Object) (all []place) {
	switch o := o.(type) {
	case workloads.Ingress:
		hosts := map[string]bool{}
		for _, r := range o.Spec.Rules {
			hosts[r.Host] = true
		}
		if o.Spec.DefaultBackend != nil {
			hosts[""] = true
		}
		for h := range hosts {
			all = append(all, place{host: h})
		}
	case workloads.HTTPProxy:
		all = append(all, place{host: o.Host})
	case workloads.HTTPRoute:
		all = routePlaces(o)
	case workloads.EndpointSlice:
		all = append(all, place{service: workloads.Key{Namespace: o.Namespace, Name: o.Service}})
	}
	return all
}

// routePlaces are the hosts of an HTTPRoute, whatever listeners make of them.
func routePlaces(r workloads.HTTPRoute) (all []place) {
	if len(r.Hosts) == 0 {
		return []place{{}}
	}
	for _, host := range r.Hosts {
		at := place{host: host}
		if domain, wild := strings.CutPrefix(host, "*."); wild {
			at = place{below: domain}
		}
		if !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// placesFor are the places whose routes a request may be for.
func placesFor(host string) (all []place) {
	for _, h := range hostsFor(host) {
		all = append(all, place{host: h})
	}
	for _, domain, below := strings.Cut(host, "."); below; _, domain, below = strings.Cut(domain, ".") {
		all = append(all, place{below: domain})
	}
	return all
}

// Near returns the parts that can make a difference to a request, in their order. Each version of a route is asked for what it refers to.
func (x *Index) Near(r Request, versions func(workloads.Part) []workloads.Object) []workloads.Part {
	found := map[workloads.Part]bool{}
	others := map[workloads.Part]bool{}
	for _, at := range placesFor(r.Host) {
		for part := range x.near[at] {
			if found[part] {
				continue
			}
			found[part] = true
			for _, o := range versions(part) {
				refersTo(o, r.Host, others)
			}
		}
	}
	for other := range others {
		found[other] = true
		if other.Kind != workloads.ServiceKind {
			continue
		}
		for part := range x.near[place{service: other.Key}] {
			found[part] = true
		}
	}
	parts := make([]workloads.Part, 0, len(found))
	for p := range found {
		parts = append(parts, p)
	}
	slices.SortFunc(parts, workloads.Part.Compare)
	return parts
}

// refersTo adds the services to which a route may lead a request for a host, and the Gateways to which it asks to be attached.
func refersTo(o workloads.Object, host string, into map[workloads.Part]bool) {
	switch o := o.(type) {
	case workloads.HTTPProxy:
		for _, route := range o.Routes {
			for _, s := range route.Services {
				into[workloads.ServiceKind.Part(workloads.Key{Namespace: o.Namespace, Name: s.Name})] = true
			}
		}
	case workloads.HTTPRoute:
		for _, p := range o.Parents {
			into[workloads.GatewayKind.Part(p.Gateway)] = true
		}
		for _, rule := range o.Rules {
			for _, b := range rule.Backends {
				into[workloads.ServiceKind.Part(workloads.Key{Namespace: o.Namespace, Name: b.Service})] = true
			}
		}
	case workloads.Ingress:
		ingressRefersTo(o, host, into)
	}
}

func ingressRefersTo(i workloads.Ingress, host string, into map[workloads.Part]bool) {
	add := func(b networkingv1.IngressBackend) {
		if to, ok := backendOf(i, b); ok {
			into[workloads.ServiceKind.Part(to.service)] = true
		}
	}
	if i.Spec.DefaultBackend != nil {
		add(*i.Spec.DefaultBackend)
	}
	for _, rule := range i.Spec.Rules {
		if rule.HTTP == nil || !slices.Contains(hostsFor(host), rule.Host) {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			add(p.Backend)
		}
	}
}

// Table answers for one state. It is safe for concurrent use.
type Table struct {
	dialect Dialect
	state   workloads.State
	index   *Index
}

// NewTable returns the table of a state.
func NewTable(d Dialect, s workloads.State) Table { return Table{d, s, NewIndex(s)} }

// Answer says what may answer a request.
func (t Table) Answer(r Request) Answer {
	versions := func(p workloads.Part) []workloads.Object {
		if o := t.state.Object(p); o != nil {
			return []workloads.Object{o}
		}
		return nil
	}
	var o Objects
	for _, p := range t.index.Near(r, versions) {
		for _, object := range versions(p) {
			o.Put(object)
		}
	}
	return t.dialect.Answer(o, r)
}

// Requests returns one request for each route of the state that is the router's own: for each path under each host. A wildcard is asked for by a name
// that no other rule has, and a prefix by an element below it.
func (d Dialect) Requests(s workloads.State) (all []Request) {
	for _, i := range s.Ingresses().All() {
		if !d.own(i) {
			continue
		}
		for _, rule := range i.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			for _, p := range rule.HTTP.Paths {
				path := p.Path
				if p.PathType == nil || *p.PathType != networkingv1.PathTypeExact {
					path = strings.TrimSuffix(path, "/") + "/below"
				}
				all = append(all, Request{Host: aHost(rule.Host), Path: path, TLS: hasTLS(i, rule.Host)})
			}
		}
	}
	return slices.Concat(all, d.proxyRequests(s), d.routeRequests(s))
}

// aHost is a name that a rule's host matches.
func aHost(pattern string) string {
	switch domain, wild := strings.CutPrefix(pattern, "*."); {
	case wild:
		return "any." + domain
	case pattern == "":
		return "any.invalid"
	}
	return pattern
}

func hasTLS(i workloads.Ingress, host string) bool {
	return slices.ContainsFunc(i.Spec.TLS, func(t networkingv1.IngressTLS) bool { return slices.Contains(t.Hosts, host) })
}
