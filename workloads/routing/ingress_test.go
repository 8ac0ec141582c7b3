package routing

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/nodefv/nodefv/workloads"
)

const class = "own"

func key(name string) workloads.Key { return workloads.Key{Namespace: "n", Name: name} }

// path is a path of a rule that leads to a service of the name to.
func path(pattern string, kind networkingv1.PathType, to string) networkingv1.HTTPIngressPath {
	return networkingv1.HTTPIngressPath{Path: pattern, PathType: &kind, Backend: towards(to)}
}

func towards(service string) networkingv1.IngressBackend {
	return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}}}
}

func exact(pattern, to string) networkingv1.HTTPIngressPath {
	return path(pattern, networkingv1.PathTypeExact, to)
}

func prefix(pattern, to string) networkingv1.HTTPIngressPath {
	return path(pattern, networkingv1.PathTypePrefix, to)
}

func rule(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}
}

func ingress(name string, rules ...networkingv1.IngressRule) workloads.Ingress {
	own := class
	return workloads.Ingress{Key: key(name), Spec: networkingv1.IngressSpec{IngressClassName: &own, Rules: rules}}
}

// shop is a state with services a to f; that of the name x has the pod x-0, and f has none.
func shop(more ...workloads.Object) workloads.State {
	s := workloads.NewState("here")
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		s.Put(workloads.Service{Key: key(name), Ports: []workloads.ServicePort{{Name: "http", Port: 80, Target: 8080}}})
		slice := workloads.EndpointSlice{Key: key(name + "-1"), Service: name, Ports: []workloads.EndpointPort{{Name: "http", Port: 8080}}}
		if name != "f" {
			slice.Endpoints = []workloads.ServiceEndpoint{{Pod: key(name + "-0")}, {Pod: key(name + "-sick"), NotReady: true}}
		}
		s.Put(slice)
	}
	s.Put(more...)
	return s
}

func TestIngress(t *testing.T) {
	other := "other"
	foreign := ingress("foreign", rule("x.example", prefix("/", "c")))
	foreign.Spec.IngressClassName = &other
	withDefault := ingress("fallback")
	withDefault.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: towards("e").Service}
	routes := []workloads.Object{
		ingress("hosts", rule("x.example", prefix("/", "a")), rule("*.example", prefix("/", "b")), rule("y.example", exact("/only", "c"))),
		ingress("paths", rule("p.test", prefix("/", "a"), prefix("/foo", "b"), exact("/foo", "c"), prefix("/foo/bar/", "d"), exact("/foo/bar/x", "e"))),
		ingress("nobody", rule("empty.test", prefix("/", "f")), rule("lost.test", prefix("/", "missing"))),
		foreign,
	}
	ranked, free := Dialect{IngressClass: class, HostsRank: true}, Dialect{IngressClass: class, SkipsUnserved: true}
	for _, c := range []struct {
		dialect    Dialect
		host, path string
		want       string
		more       []workloads.Object
	}{
		{ranked, "x.example", "/any", "200 of n/a-0", nil},
		{free, "x.example", "/any", "200 of n/a-0 or n/b-0", nil},
		{ranked, "z.example", "/", "200 of n/b-0", nil},
		{ranked, "z.z.example", "/", "404", nil}, // a wildcard stands for one label
		{ranked, "example", "/", "404", nil},
		{ranked, "y.example", "/only", "200 of n/c-0", nil},
		{ranked, "y.example", "/other", "404", nil}, // its virtual host has no such path
		{free, "y.example", "/other", "200 of n/b-0", nil},
		{ranked, "p.test", "/", "200 of n/a-0", nil},
		{ranked, "p.test", "/foo", "200 of n/c-0", nil},
		{ranked, "p.test", "/foo/", "200 of n/b-0", nil},
		{ranked, "p.test", "/foobar", "200 of n/a-0", nil}, // by elements
		{ranked, "p.test", "/foo/bar", "200 of n/d-0", nil},
		{ranked, "p.test", "/foo/bar/x", "200 of n/e-0", nil},
		{ranked, "p.test", "/foo/bar/x/", "200 of n/d-0", nil},
		{ranked, "p.test", "/FOO", "200 of n/a-0", nil},
		{ranked, "empty.test", "/", "503", nil},
		{ranked, "lost.test", "/", "503", nil},
		{free, "lost.test", "/", "404", nil},
		{ranked, "unknown.test", "/", "404", nil},
		{ranked, "unknown.test", "/", "200 of n/e-0", []workloads.Object{withDefault}},
		{free, "lost.test", "/", "200 of n/e-0", []workloads.Object{withDefault}},
		{ranked, "p.test", "/foo", "200 of n/b-0 or n/c-0", []workloads.Object{ingress("twin", rule("p.test", exact("/foo", "b")))}},
	} {
		s := shop(slices.Concat(routes, c.more)...)
		if got := NewTable(c.dialect, s).Answer(Request{Host: c.host, Path: c.path}).String(); got != c.want {
			t.Errorf("%s%s with %d more: got %s, want %s", c.host, c.path, len(c.more), got, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	a := Answer{Backends: []workloads.Key{key("a"), key("b")}, Statuses: []int{404}}
	for _, c := range []struct {
		pod    workloads.Key
		status int
		want   bool
	}{
		{key("a"), 200, true}, {key("b"), 200, true}, {key("c"), 200, false}, {key("a"), 500, false},
		{workloads.Key{}, 404, true}, {workloads.Key{}, 503, false}, {workloads.Key{}, 200, false},
	} {
		if got := a.Allows(c.pod, c.status); got != c.want {
			t.Errorf("%s with %d: got %v", c.pod, c.status, got)
		}
	}
}

// TestIngressBrute compares the oracle with one that walks over elements and asks all rules, in the words of the API's documentation.
func TestIngressBrute(t *testing.T) {
	hosts := []string{"", "a.test", "*.test", "b.test", "a.b.test", "*.b.test"}
	paths := []string{"/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b"}
	asked := append(slices.Clone(paths), "/a/b/", "/a/bc", "/c", "//a")
	rapid.Check(t, func(t *rapid.T) {
		d := Dialect{IngressClass: class, HostsRank: rapid.Bool().Draw(t, "ranked"), SkipsUnserved: rapid.Bool().Draw(t, "skips")}
		var all []workloads.Object
		for i := range rapid.IntRange(1, 4).Draw(t, "ingresses") {
			var rules []networkingv1.IngressRule
			for range rapid.IntRange(0, 3).Draw(t, "rules") {
				var some []networkingv1.HTTPIngressPath
				for range rapid.IntRange(1, 3).Draw(t, "paths") {
					kind := rapid.SampledFrom([]networkingv1.PathType{networkingv1.PathTypeExact, networkingv1.PathTypePrefix}).Draw(t, "type")
					to := rapid.SampledFrom([]string{"a", "b", "c", "d", "f", "missing"}).Draw(t, "service")
					some = append(some, path(rapid.SampledFrom(paths).Draw(t, "path"), kind, to))
				}
				rules = append(rules, rule(rapid.SampledFrom(hosts).Draw(t, "host"), some...))
			}
			in := ingress(fmt.Sprint("i", i), rules...)
			if rapid.IntRange(0, 3).Draw(t, "default") == 0 {
				in.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: towards("e").Service}
			}
			all = append(all, in)
		}
		table := NewTable(d, shop(all...))
		for _, host := range []string{"a.test", "b.test", "c.test", "a.b.test", "x.b.test", "x.y.b.test", "test"} {
			for _, p := range asked {
				r := Request{Host: host, Path: p}
				if got, want := table.Answer(r), brute(d, all, r); !got.Equal(want) {
					t.Fatalf("%s of %+v: got %s, want %s", r, all, got, want)
				}
			}
		}
	})
}

// brute is the answer by the letter: it scores each rule, and takes those of the highest score.
func brute(d Dialect, all []workloads.Object, r Request) Answer {
	type scored struct {
		host, path, kind int
		to               string
	}
	var found []scored
	best := map[int]scored{}
	hostKnown := 0
	for _, o := range all {
		for _, ru := range o.(workloads.Ingress).Spec.Rules {
			host := bruteHost(ru.Host, r.Host)
			if host == 0 {
				continue
			}
			hostKnown = max(hostKnown, host)
			for _, p := range ru.HTTP.Paths {
				to := p.Backend.Service.Name
				if d.SkipsUnserved && to == "missing" {
					continue
				}
				elements, kind := elementsOf(p.Path), 0
				if *p.PathType == networkingv1.PathTypeExact {
					if p.Path != r.Path {
						continue
					}
					kind = 1
				} else if have := elementsOf(r.Path); len(have) < len(elements) || !slices.Equal(have[:len(elements)], elements) {
					continue
				}
				size := len(p.Path)
				if kind == 0 && len(p.Path) > 1 {
					size = len(strings.TrimSuffix(p.Path, "/"))
				}
				found = append(found, scored{host, size, kind, to})
			}
		}
	}
	for _, f := range found {
		b := best[f.host]
		if f.path > b.path || f.path == b.path && f.kind > b.kind {
			best[f.host] = f
		}
	}
	var a Answer
	top := 0
	for _, f := range found {
		top = max(top, f.host)
	}
	for _, f := range found {
		b := best[f.host]
		if f.path != b.path || f.kind != b.kind || d.HostsRank && (f.host != top || hostKnown > 1 && f.host < hostKnown) {
			continue
		}
		a = a.Join(bruteService(f.to))
	}
	if len(a.Backends)+len(a.Statuses) > 0 {
		return a
	}
	for _, o := range all {
		if o.(workloads.Ingress).Spec.DefaultBackend != nil {
			return bruteService("e")
		}
	}
	return Answer{Statuses: []int{http.StatusNotFound}}
}

// bruteHost is 3 for the host itself, 2 for a wildcard, 1 for any, 0 for another.
func bruteHost(pattern, host string) int {
	labels := strings.Split(host, ".")
	switch {
	case pattern == "":
		return 1
	case pattern == host:
		return 3
	case strings.HasPrefix(pattern, "*.") && pattern[2:] == strings.Join(labels[1:], "."):
		return 2
	}
	return 0
}

func elementsOf(path string) []string {
	return strings.Split(strings.TrimSuffix(path, "/"), "/")
}

func bruteService(name string) Answer {
	if name == "missing" || name == "f" {
		return Answer{Statuses: []int{http.StatusServiceUnavailable}}
	}
	return Answer{Backends: []workloads.Key{key(name + "-0")}}
}
