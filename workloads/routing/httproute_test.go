package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nodefv/nodefv/workloads"
)

const gatewayClass = "own-gateways"

func gateway(name string, listeners ...workloads.Listener) workloads.Gateway {
	return workloads.Gateway{Key: key(name), Class: gatewayClass, Listeners: listeners}
}

// httpRoute is attached to the Gateway g.
func httpRoute(name string, hosts []string, rules ...workloads.HTTPRouteRule) workloads.HTTPRoute {
	return workloads.HTTPRoute{Key: key(name), Parents: []workloads.RouteParent{{Gateway: key("g")}}, Hosts: hosts, Rules: rules}
}

func ruleTo(service string, matches ...workloads.HTTPRouteMatch) workloads.HTTPRouteRule {
	return workloads.HTTPRouteRule{Matches: matches, Backends: []workloads.RouteBackend{portion(service, 1)}}
}

func portion(service string, weight int32) workloads.RouteBackend {
	return workloads.RouteBackend{Service: service, Port: 80, Weight: weight}
}

func shared(backends ...workloads.RouteBackend) workloads.HTTPRouteRule {
	return workloads.HTTPRouteRule{Backends: backends}
}

func TestHTTPRoutes(t *testing.T) {
	v1, v2 := map[string]string{"v": "1"}, map[string]string{"v": "1", "w": "2"}
	at := func(second int, r workloads.HTTPRoute) workloads.HTTPRoute {
		r.Created = time.Unix(int64(second), 0)
		return r
	}
	section := httpRoute("section", []string{"*.example"}, ruleTo("e", workloads.HTTPRouteMatch{Path: "/section"}))
	section.Parents[0].Listener = "wild"
	abroad := httpRoute("abroad", []string{"abroad.example"}, ruleTo("a"))
	abroad.Namespace = "m"
	lost := httpRoute("lost", []string{"lost.example"}, ruleTo("a"))
	lost.Parents[0].Gateway.Name = "foreign"
	foreign := gateway("foreign", workloads.Listener{Name: "all"})
	foreign.Class = "other"
	table := func(d Dialect, more ...workloads.Object) Table {
		d.GatewayClass = gatewayClass
		return NewTable(d, shop(append([]workloads.Object{
			gateway("g", workloads.Listener{Name: "all"}, workloads.Listener{Name: "wild", Host: "*.wild.example", Open: true}, workloads.Listener{Name: "tls", Host: "tls.example", Secret: "shown"}),
			foreign, section, abroad, lost,
			httpRoute("rules", []string{"r.example"}, ruleTo("a"), ruleTo("b", workloads.HTTPRouteMatch{Path: "/b"}, workloads.HTTPRouteMatch{Path: "/b/b/"}),
				ruleTo("c", workloads.HTTPRouteMatch{Path: "/b", Exact: true}, workloads.HTTPRouteMatch{Path: "/b", Headers: v1}), ruleTo("d", workloads.HTTPRouteMatch{Path: "/b", Method: "POST"}),
				ruleTo("e", workloads.HTTPRouteMatch{Path: "/b", Headers: v2}, workloads.HTTPRouteMatch{Path: "/b", Query: v1}), ruleTo("d", workloads.HTTPRouteMatch{Path: "/b", Query: v1})),
			httpRoute("deep", []string{"*.deep.example", "x.deep.example"}, ruleTo("a", workloads.HTTPRouteMatch{Path: "/x"})), httpRoute("wide", []string{"*.example"}, ruleTo("b")),
			httpRoute("weights", []string{"w.example"}, shared(portion("a", 3), portion("b", 1), portion("c", 0))), httpRoute("half", []string{"half.example"}, shared(portion("a", 1), portion("nobody", 1))),
			httpRoute("none", []string{"none.example"}, shared()), httpRoute("nobody", []string{"nobody.example"}, shared(portion("nobody", 1), portion("a", 0))),
			httpRoute("empty", []string{"empty.example"}, ruleTo("f")), httpRoute("zero", []string{"zero.example"}, shared(portion("a", 0))), httpRoute("bare", []string{"bare.example"}, ruleTo("bare")),
			at(2, httpRoute("a-young", []string{"age.example"}, ruleTo("a"))), at(1, httpRoute("old", []string{"age.example"}, ruleTo("b"))), at(1, httpRoute("old-too", []string{"age.example"}, ruleTo("c"))),
			httpRoute("one", []string{"unknown.example"}, ruleTo("a")), at(1, httpRoute("two", []string{"unknown.example"}, ruleTo("b"))),
			workloads.Service{Key: key("bare"), Ports: []workloads.ServicePort{{Name: "http", Port: 80}}},
		}, more...)...))
	}
	plain, ranked := table(Dialect{SlicesNeeded: true}), table(Dialect{HostsRank: true, ListenersRank: true})
	for _, c := range []struct {
		table   Table
		request Request
		want    string
	}{
		{plain, Request{Host: "r.example", Path: "/"}, "200 of n/a-0"},
		{plain, Request{Host: "r.example", Path: "/b"}, "200 of n/c-0"},
		{plain, Request{Host: "r.example", Path: "/b/"}, "200 of n/b-0"},
		{plain, Request{Host: "r.example", Path: "/bb"}, "200 of n/a-0"}, // by elements
		{plain, Request{Host: "r.example", Path: "/b/x", Header: v1}, "200 of n/c-0"},
		{plain, Request{Host: "r.example", Path: "/b/x", Header: v2}, "200 of n/e-0"},
		{plain, Request{Host: "r.example", Path: "/b/b", Header: v2, Method: "POST"}, "200 of n/b-0"}, // the longest prefix comes first
		{plain, Request{Host: "r.example", Path: "/b/x", Header: v2, Method: "POST"}, "200 of n/d-0"},
		{plain, Request{Host: "r.example", Path: "/b/x", Header: v1, Query: v1}, "200 of n/c-0"},
		{plain, Request{Host: "r.example", Path: "/b/x", Query: v1}, "200 of n/e-0"}, // the first rule
		{plain, Request{Host: "x.deep.example", Path: "/x"}, "200 of n/a-0"},
		{plain, Request{Host: "y.y.deep.example", Path: "/x"}, "200 of n/a-0"},
		{plain, Request{Host: "x.deep.example", Path: "/"}, "200 of n/b-0"},
		{ranked, Request{Host: "x.deep.example", Path: "/"}, "404"}, // its virtual host has no such path
		{plain, Request{Host: "example", Path: "/"}, "404"},
		{plain, Request{Host: "abroad.example", Path: "/"}, "200 of n/b-0"}, // routes of its namespace alone
		{plain, Request{Host: "lost.example", Path: "/"}, "200 of n/b-0"},
		{plain, Request{Host: "x.wild.example", Path: "/section"}, "200 of n/e-0"},
		{plain, Request{Host: "x.other.example", Path: "/section"}, "200 of n/b-0"},
		{ranked, Request{Host: "x.wild.example", Path: "/"}, "200 of n/b-0"},
		{plain, Request{Host: "r.example", Path: "/", TLS: true}, "404"},
		{plain, Request{Host: "tls.example", Path: "/", TLS: true}, "200 of n/b-0"},
		{plain, Request{Host: "w.example", Path: "/"}, "200 of n/a-0 or n/b-0"},
		{plain, Request{Host: "half.example", Path: "/"}, "200 of n/a-0 or 500"},
		{plain, Request{Host: "none.example", Path: "/"}, "500 or 503"},
		{plain, Request{Host: "nobody.example", Path: "/"}, "500"},
		{plain, Request{Host: "empty.example", Path: "/"}, "503"},
		{plain, Request{Host: "zero.example", Path: "/"}, "500 or 503"},
		{plain, Request{Host: "bare.example", Path: "/"}, "500"},
		{ranked, Request{Host: "bare.example", Path: "/"}, "503"},
		{plain, Request{Host: "age.example", Path: "/"}, "200 of n/b-0"},
		{plain, Request{Host: "unknown.example", Path: "/"}, "200 of n/a-0 or n/b-0"},
	} {
		if got := c.table.Answer(c.request).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.request, got, c.want)
		}
	}
	asked := map[string]bool{}
	for _, r := range plain.dialect.Requests(plain.state) {
		asked[r.String()] = true
	}
	for _, want := range []string{"POST http://r.example/b/below", "GET http://r.example/b", "GET http://any.deep.example/x/below", "GET https://tls.example/below", "GET http://any.wild.example/section/below"} {
		if !asked[want] {
			t.Errorf("%s is not asked for, of %v", want, slices.Sorted(maps.Keys(asked)))
		}
	}
	if got := plain.dialect.Certificates(plain.state); len(got) != 1 || got["tls.example"] != key("shown") {
		t.Errorf("certificates %v", got)
	}
}

// TestHTTPRouteBrute compares the oracle with one that goes through listeners, hosts and matches in the order of precedence, from the first to the last, in the words of the
// API's documentation.
func TestHTTPRouteBrute(t *testing.T) {
	hosts := []string{"a.test", "*.test", "b.test", "a.b.test", "*.b.test", "*.c"}
	pathsOf := []string{"", "/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b"}
	some := []map[string]string{nil, nil, {"x": "1"}, {"y": "2"}, {"x": "1", "y": "2"}}
	rapid.Check(t, func(t *rapid.T) {
		d := Dialect{GatewayClass: gatewayClass, HostsRank: rapid.Bool().Draw(t, "hosts rank"), ListenersRank: rapid.Bool().Draw(t, "listeners rank")}
		of := func(what string, from []string) string { return rapid.SampledFrom(from).Draw(t, what) }
		var objects []workloads.Object
		for _, name := range []string{"g", "h"} {
			g := gateway(name)
			for i := range rapid.IntRange(1, 3).Draw(t, "listeners") {
				g.Listeners = append(g.Listeners, workloads.Listener{
					Name: fmt.Sprint("l", i), Host: of("listener", append(hosts, "")), Secret: of("secret", []string{"", "", "shown"}), Open: rapid.Bool().Draw(t, "open"),
				})
			}
			if rapid.IntRange(0, 4).Draw(t, "foreign") == 0 {
				g.Class = "another"
			}
			objects = append(objects, g)
		}
		var all []workloads.HTTPRoute
		for i := range rapid.IntRange(1, 5).Draw(t, "routes") {
			r := workloads.HTTPRoute{Key: workloads.Key{Namespace: of("namespace", []string{"n", "n", "m"}), Name: fmt.Sprint("r", i)}}
			for range rapid.IntRange(1, 2).Draw(t, "parents") {
				r.Parents = append(r.Parents, workloads.RouteParent{Gateway: key(of("gateway", []string{"g", "h", "none"})), Listener: of("section", []string{"", "l0", "l1"})})
			}
			for range rapid.IntRange(0, 2).Draw(t, "hosts") {
				r.Hosts = append(r.Hosts, of("host", hosts))
			}
			if second := rapid.IntRange(0, 3).Draw(t, "created"); second > 0 {
				r.Created = time.Unix(int64(second), 0)
			}
			for range rapid.IntRange(1, 3).Draw(t, "rules") {
				rule := shared(portion(of("service", []string{"a", "b", "c", "d", "f", "missing"}), 1))
				for range rapid.IntRange(0, 2).Draw(t, "matches") {
					m := workloads.HTTPRouteMatch{Path: of("path", pathsOf), Method: of("method", []string{"", "", "POST"}), Headers: rapid.SampledFrom(some).Draw(t, "headers"), Query: rapid.SampledFrom(some).Draw(t, "query")}
					m.Exact = m.Path != "" && rapid.Bool().Draw(t, "exact")
					rule.Matches = append(rule.Matches, m)
				}
				r.Rules = append(r.Rules, rule)
			}
			all, objects = append(all, r), append(objects, r)
		}
		for _, name := range []string{"a", "b", "c", "d", "f"} { // those of the other namespace
			objects = append(objects, workloads.Service{Key: workloads.Key{Namespace: "m", Name: name}, Ports: []workloads.ServicePort{{Name: "http", Port: 80}}})
		}
		s := shop(objects...)
		table := NewTable(d, s)
		for _, host := range []string{"a.test", "b.test", "c.test", "a.b.test", "x.b.test", "x.y.b.test", "test", "x.c"} {
			for _, path := range []string{"/", "/a", "/a/b", "/abc", "/a/b/c/d"} {
				r := Request{
					Host: host, Path: path, Method: of("asked by", []string{"", "POST"}), Header: rapid.SampledFrom(some).Draw(t, "sent"), Query: rapid.SampledFrom(some).Draw(t, "asked"), TLS: rapid.Bool().Draw(t, "TLS"),
				}
				if got, want := table.Answer(r), bruteHTTPRoute(d, s, all, r); !got.Equal(want) {
					t.Fatalf("%s of %+v, %+v: got %s, want %s", r, s.Gateways().List(), all, got, want)
				}
			}
		}
	})
}

// bruteHTTPRoute takes away what does not match, and then, criterion after criterion, all that is not the best.
func bruteHTTPRoute(d Dialect, s workloads.State, routes []workloads.HTTPRoute, r Request) Answer {
	type found struct {
		beaten bool // another listener of the Gateway is more specific
		host   string
		route  workloads.HTTPRoute
		rule   int
		match  *workloads.HTTPRouteMatch // nil: none of the rule matches
	}
	var all []found
	for _, g := range s.Gateways().List() {
		best := -1
		for _, l := range g.Listeners {
			if (l.Secret != "") == r.TLS {
				best = max(best, bruteScore(l.Host, r.Host))
			}
		}
		for _, l := range g.Listeners {
			if g.Class != gatewayClass || (l.Secret != "") != r.TLS || bruteScore(l.Host, r.Host) < 0 {
				continue
			}
			beaten := bruteScore(l.Host, r.Host) < best
			for _, route := range routes {
				named := false
				for _, p := range route.Parents {
					named = named || p.Gateway == g.Key && (p.Listener == "" || p.Listener == l.Name)
				}
				if !named || !l.Open && route.Namespace != g.Namespace {
					continue
				}
				hosts := route.Hosts
				if len(hosts) == 0 {
					hosts = []string{""}
				}
				for _, host := range hosts { // a name that both match is one of the hosts that they have in common, the longer of the two
					if bruteScore(host, r.Host) < 0 {
						continue
					}
					if bruteScore(l.Host, r.Host) > bruteScore(host, r.Host) {
						host = l.Host
					}
					for i, rule := range route.Rules {
						matches := rule.Matches
						if len(matches) == 0 {
							matches = []workloads.HTTPRouteMatch{{Path: "/"}}
						}
						all = append(all, found{beaten, host, route, i, nil})
						for _, m := range matches {
							if bruteMatches(m, r) {
								all = append(all, found{beaten, host, route, i, &m})
							}
						}
					}
				}
			}
		}
	}
	only := func(score func(found) int) {
		best := -1
		for _, f := range all {
			best = max(best, score(f))
		}
		all = slices.DeleteFunc(all, func(f found) bool { return score(f) != best })
	}
	one01 := func(is bool) int { return map[bool]int{true: 1}[is] }
	if d.ListenersRank {
		all = slices.DeleteFunc(all, func(f found) bool { return f.beaten })
	}
	host := func(f found) int { return bruteScore(f.host, r.Host) }
	if d.HostsRank {
		only(host)
	}
	all = slices.DeleteFunc(all, func(f found) bool { return f.match == nil })
	only(host)
	only(func(f found) int { return one01(f.match.Exact) })
	only(func(f found) int {
		if f.match.Exact {
			return 0
		}
		return max(1, len(strings.TrimSuffix(f.match.Path, "/")))
	})
	only(func(f found) int { return one01(f.match.Method != "") })
	only(func(f found) int { return len(f.match.Headers) })
	only(func(f found) int { return len(f.match.Query) })
	if len(all) == 0 {
		return Answer{Statuses: []int{404}}
	}
	var a Answer
	for _, f := range all {
		beaten := slices.ContainsFunc(all, func(o found) bool {
			if o.route.Key == f.route.Key {
				return o.rule < f.rule
			}
			for _, known := range all {
				if known.route.Created.IsZero() {
					return false
				}
			}
			return o.route.Created.Before(f.route.Created) || o.route.Created.Equal(f.route.Created) && o.route.Key.Compare(f.route.Key) < 0
		})
		if beaten {
			continue
		}
		switch service := f.route.Rules[f.rule].Backends[0].Service; {
		case service == "missing":
			a = a.Join(Answer{Statuses: []int{500}})
		case service == "f" || f.route.Namespace == "m":
			a = a.Join(Answer{Statuses: []int{503}})
		default:
			a = a.Join(Answer{Backends: []workloads.Key{key(service + "-0")}})
		}
	}
	return a
}

// bruteScore is how specific a host is that matches a name; negative: it does not.
func bruteScore(host, name string) int {
	switch {
	case host == "":
		return 0
	case host == name:
		return 1000 + len(host)
	case strings.HasPrefix(host, "*."):
		for rest := name; strings.Contains(rest, "."); {
			if _, rest, _ = strings.Cut(rest, "."); rest == host[2:] {
				return len(host)
			}
		}
	}
	return -1
}

func bruteMatches(m workloads.HTTPRouteMatch, r Request) bool {
	for name, value := range m.Headers {
		if r.Header[name] != value {
			return false
		}
	}
	for name, value := range m.Query {
		if r.Query[name] != value {
			return false
		}
	}
	if m.Method != "" && m.Method != r.Method {
		return false
	}
	if m.Exact {
		return m.Path == r.Path
	}
	want, have := elementsOf(m.Path), elementsOf(r.Path)
	return len(have) >= len(want) && slices.Equal(have[:len(want)], want)
}
