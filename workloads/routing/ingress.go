package routing

import (
	"cmp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// ingress says what Ingresses make of a request; false: none of them has anything to say.
//
// Of the paths that match the longest decides, of two that are as long the exact one. Where several Ingresses say the same host and path, which of them
// decides is left open. A default backend answers what no rule matches.
func (d Dialect) ingress(o Objects, r Request) (a Answer, matched bool) {
	for _, host := range hostsFor(r.Host) {
		best := d.bestPaths(o, host, r.Path)
		for _, m := range best {
			a, matched = a.Join(d.towards(o, m.backend, m.by)), true
		}
		if len(best) > 0 && d.HostsRank {
			return a, true
		}
		if d.HostsRank && host != "" && d.hasHost(o, host) {
			break // its virtual host has no such path
		}
	}
	if matched {
		return a, true
	}
	for _, i := range o.Ingresses {
		if !d.own(i) || i.Spec.DefaultBackend == nil {
			continue
		}
		if b, ok := backendOf(i, *i.Spec.DefaultBackend); ok && !d.skips(o, b) {
			a, matched = a.Join(d.towards(o, b, i.Part())), true
		}
	}
	return a, matched
}

// hostsFor returns the hosts of rules that match a request's, the most specific first.
func hostsFor(host string) []string {
	hosts := []string{host}
	if _, domain, ok := strings.Cut(host, "."); ok {
		hosts = append(hosts, "*."+domain)
	}
	return append(hosts, "")
}

// own reports whether the router looks at an Ingress.
func (d Dialect) own(i workloads.Ingress) bool {
	return i.Spec.IngressClassName != nil && *i.Spec.IngressClassName == d.IngressClass
}

// skips reports whether a path that leads there is as if it were not there.
func (d Dialect) skips(o Objects, b backend) bool {
	_, ok := o.served(b)
	return !ok && d.SkipsUnserved
}

func (d Dialect) hasHost(o Objects, host string) bool {
	return slices.ContainsFunc(o.Ingresses, func(i workloads.Ingress) bool {
		return d.own(i) && slices.ContainsFunc(i.Spec.Rules, func(r networkingv1.IngressRule) bool { return r.Host == host })
	})
}

// match is a path that matches.
type match struct {
	backend backend
	by      workloads.Part
	length  int
	exact   bool
}

// before is the order of precedence.
func (m match) before(o match) int {
	if c := cmp.Compare(o.length, m.length); c != 0 || m.exact == o.exact {
		return c
	}
	if m.exact {
		return -1
	}
	return 1
}

// bestPaths returns the path that decides under a host, several if they have the same precedence.
func (d Dialect) bestPaths(o Objects, host, path string) []match {
	var all []match
	for _, i := range o.Ingresses {
		if !d.own(i) {
			continue
		}
		for _, rule := range i.Spec.Rules {
			if rule.Host != host || rule.HTTP == nil {
				continue
			}
			for _, p := range rule.HTTP.Paths {
				exact := p.PathType != nil && *p.PathType == networkingv1.PathTypeExact
				if b, ok := backendOf(i, p.Backend); ok && pathMatches(p.Path, exact, path) && !d.skips(o, b) {
					all = append(all, match{b, i.Part(), length(p.Path, exact), exact})
				}
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	best := slices.MinFunc(all, match.before)
	return slices.DeleteFunc(all, func(m match) bool { return m.before(best) != 0 })
}

// pathMatches reports whether a path of a rule matches that of a request: a prefix by whole elements, whatever its last slash.
func pathMatches(pattern string, exact bool, path string) bool {
	if exact {
		return path == pattern
	}
	pattern = strings.TrimSuffix(pattern, "/")
	return strings.HasPrefix(path, pattern) && (len(path) == len(pattern) || path[len(pattern)] == '/')
}

// length is how long a path is for precedence.
func length(pattern string, exact bool) int {
	if exact {
		return len(pattern)
	}
	return max(1, len(strings.TrimSuffix(pattern, "/")))
}

func backendOf(i workloads.Ingress, b networkingv1.IngressBackend) (to backend, ok bool) {
	if b.Service == nil {
		return to, false
	}
	return backend{workloads.Key{Namespace: i.Namespace, Name: b.Service.Name}, b.Service.Port.Number, b.Service.Port.Name}, true
}
