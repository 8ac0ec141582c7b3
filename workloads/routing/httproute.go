package routing

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// httpRoute says what HTTPRoutes make of a request; false: none of those that are attached has a rule that matches.
//
// The hosts of a route are those that it and the listener have in common. Of the rules that match that of the most specific host counts: the longest
// name before the longest wildcard. Then an exact path counts before a prefix, the longest prefix, a method, the most headers and the most parameters of
// the query; then the oldest route, that whose name comes first, and the first rule of it. Where it is not known which route is the oldest, each may be.
func (d Dialect) httpRoute(o Objects, r Request) (a Answer, matched bool) {
	all := d.matching(o, r)
	if len(all) == 0 {
		return a, false
	}
	best := slices.MinFunc(all, ruleMatch.before)
	all = slices.DeleteFunc(all, func(m ruleMatch) bool { return m.before(best) != 0 })
	for _, m := range oldest(all) {
		a = a.Join(d.ruled(o, m.route, m.route.Rules[m.rule]))
	}
	return a, true
}

// ruleMatch is a match of a rule that matches a request.
type ruleMatch struct {
	route workloads.HTTPRoute
	rule  int
	host  string // of the route, that matches; empty: any
	is    workloads.HTTPRouteMatch
}

// before is the order of precedence, as far as it is one of rules.
func (m ruleMatch) before(o ruleMatch) int {
	return cmp.Or(
		specific(m.host, o.host), first(m.is.Exact, o.is.Exact), cmp.Compare(length(o.is.Path, o.is.Exact), length(m.is.Path, m.is.Exact)),
		first(m.is.Method != "", o.is.Method != ""), cmp.Compare(len(o.is.Headers), len(m.is.Headers)), cmp.Compare(len(o.is.Query), len(m.is.Query)),
	)
}

// first puts what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// specific puts the more specific of two hosts first that match the same name.
func specific(a, b string) int {
	return cmp.Or(first(!strings.HasPrefix(a, "*") && a != "", !strings.HasPrefix(b, "*") && b != ""), cmp.Compare(len(b), len(a)))
}

// oldest returns the first match of the oldest route, of matches with the same precedence; of each that may be the oldest, if that is not known.
func oldest(all []ruleMatch) []ruleMatch {
	slices.SortStableFunc(all, func(a, b ruleMatch) int {
		return cmp.Or(a.route.Created.Compare(b.route.Created), a.route.Key.Compare(b.route.Key), cmp.Compare(a.rule, b.rule))
	})
	all = slices.CompactFunc(all, func(a, b ruleMatch) bool { return a.route.Key == b.route.Key })
	if all[0].route.Created.IsZero() { // what is not known stands first
		return all
	}
	return all[:1]
}

// matching returns all matches that match a request, of the routes that are attached to listeners of the router's own.
func (d Dialect) matching(o Objects, r Request) (all []ruleMatch) {
	hosts := map[string]bool{}
	for _, l := range d.listening(o, r) {
		for _, route := range o.HTTPRoutes {
			host, ok := bestHost(l.hosts(route), r.Host)
			if !ok {
				continue
			}
			hosts[host] = true
			for i, rule := range route.Rules {
				for _, m := range matchesOf(rule) {
					if requestMatches(m, r) {
						all = append(all, ruleMatch{route, i, host, m})
					}
				}
			}
		}
	}
	if !d.HostsRank {
		return all
	}
	return slices.DeleteFunc(all, func(m ruleMatch) bool { // its virtual host decides alone
		for host := range hosts {
			if specific(host, m.host) < 0 {
				return true
			}
		}
		return false
	})
}

// listener is a listener of a Gateway.
type listener struct {
	gateway workloads.Key
	workloads.Listener
}

// listeners are those of the Gateways that are the router's own.
func (d Dialect) listeners(gateways []workloads.Gateway) (all []listener) {
	for _, g := range gateways {
		if g.Class != d.GatewayClass {
			continue
		}
		for _, l := range g.Listeners {
			all = append(all, listener{g.Key, l})
		}
	}
	return all
}

// listening are the listeners whose routes may have a request.
func (d Dialect) listening(o Objects, r Request) []listener {
	all := slices.DeleteFunc(d.listeners(o.Gateways), func(l listener) bool { return (l.Secret != "") != r.TLS || !hostMatches(l.Host, r.Host) })
	if !d.ListenersRank {
		return all
	}
	matching := slices.Clone(all)
	return slices.DeleteFunc(all, func(l listener) bool {
		return slices.ContainsFunc(matching, func(o listener) bool { return o.gateway == l.gateway && specific(o.Host, l.Host) < 0 })
	})
}

// hosts are those under which a listener has a route; none: the route is not attached to it.
func (l listener) hosts(route workloads.HTTPRoute) (all []string) {
	if !l.Open && route.Namespace != l.gateway.Namespace {
		return nil
	}
	asked := slices.ContainsFunc(route.Parents, func(p workloads.RouteParent) bool {
		return p.Gateway == l.gateway && (p.Listener == "" || p.Listener == l.Name)
	})
	if !asked {
		return nil
	}
	if len(route.Hosts) == 0 {
		return []string{l.Host}
	}
	for _, host := range route.Hosts {
		switch {
		case within(host, l.Host):
			all = append(all, host)
		case within(l.Host, host):
			all = append(all, l.Host)
		}
	}
	return all
}

// within reports whether all names that a host matches are matched by another one.
func within(host, by string) bool {
	return by == "" || host == by || strings.HasPrefix(by, "*.") && strings.HasSuffix(host, by[1:])
}

// hostMatches reports whether a host of a listener or a route matches a request's.
func hostMatches(pattern, host string) bool { return within(host, pattern) }

// bestHost returns the most specific host of some that matches that of a request.
func bestHost(hosts []string, host string) (best string, ok bool) {
	for _, h := range hosts {
		if hostMatches(h, host) && (!ok || specific(h, best) < 0) {
			best, ok = h, true
		}
	}
	return best, ok
}

// matchesOf are the matches of a rule.
func matchesOf(rule workloads.HTTPRouteRule) []workloads.HTTPRouteMatch {
	if len(rule.Matches) == 0 {
		return []workloads.HTTPRouteMatch{{}}
	}
	return rule.Matches
}

func requestMatches(m workloads.HTTPRouteMatch, r Request) bool {
	return pathMatches(m.Path, m.Exact, r.Path) && (m.Method == "" || m.Method == cmp.Or(r.Method, http.MethodGet)) && has(r.Header, m.Headers) && has(r.Query, m.Query)
}

func has(all, wanted map[string]string) bool {
	for name, value := range wanted {
		if got, ok := all[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// ruled is the answer of a rule: its services share its requests by their weights. The share of a service that does not exist is answered with the
// status of no backend.
func (d Dialect) ruled(o Objects, route workloads.HTTPRoute, rule workloads.HTTPRouteRule) Answer {
	by := []workloads.Part{route.Part()}
	a := Answer{By: by}
	for _, b := range rule.Backends {
		to := backend{service: workloads.Key{Namespace: route.Namespace, Name: b.Service}, port: b.Port}
		_, there := o.served(to)
		switch {
		case b.Weight == 0:
		case !there || d.SlicesNeeded && len(o.Slices[to.service]) == 0:
			a = a.Join(Answer{By: by, Statuses: []int{d.noBackend()}})
		default:
			a = a.Join(d.towards(o, to, route.Part()))
		}
	}
	if len(a.Backends)+len(a.Statuses) == 0 { // the API does not say what becomes of requests of which nobody gets a share
		a.Statuses = []int{http.StatusInternalServerError, http.StatusServiceUnavailable}
	}
	return a
}

// routeRequests returns one request for each match of the HTTPRoutes that are attached to the router's own listeners, under each of their hosts.
func (d Dialect) routeRequests(s workloads.State) (all []Request) {
	for _, l := range d.listeners(s.Gateways().List()) {
		for _, route := range s.HTTPRoutes().All() {
			for _, host := range l.hosts(route) {
				for _, rule := range route.Rules {
					for _, m := range matchesOf(rule) {
						path := m.Path
						if !m.Exact {
							path = strings.TrimSuffix(path, "/") + "/below"
						}
						all = append(all, Request{Host: aHost(host), Path: path, Method: m.Method, Header: m.Headers, Query: m.Query, TLS: l.Secret != ""})
					}
				}
			}
		}
	}
	return all
}
