package proxyconfig

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Request is what a client asks.
type Request struct {
	Port    uint16 // of the listener
	TLS     bool
	Name    string // that a TLS client asks for; empty: the host
	Host    string // may have a port
	Method  string // empty: GET
	Path    string // with its query
	Headers http.Header
}

// Answer is what a proxy does with a request.
type Answer struct {
	Refused   bool             // nothing listens there, or there is no chain for the connection
	Status    int              // with which the proxy itself answers; 0: it forwards all
	Location  string           // of a redirect
	Endpoints []netip.AddrPort // to one of which it forwards, in their order, each once
	Some      int              // of the status that a share of the requests gets though others are forwarded; 0: none
	Dynamic   bool             // it forwards to endpoints that are not known here
	Why       string           // there is no endpoint
	Clusters  []string         // that the route names
}

// Answer returns what becomes of a request.
func (c *Config) Answer(q Request) Answer {
	l := c.listens(q.Port)
	if l == nil {
		return Answer{Refused: true, Why: fmt.Sprintf("nothing listens on port %d", q.Port)}
	}
	host := withoutPort(q.Host)
	chain := l.chain(q.TLS, cmp.Or(q.Name, host))
	switch {
	case chain == nil:
		return Answer{Refused: true, Why: "listener " + l.Name + " has no chain for such a connection"}
	case !chain.HTTP:
		return Answer{Refused: true, Why: "listener " + l.Name + " does not speak HTTP to " + cmp.Or(q.Name, host)}
	}
	table := c.Tables[chain.Table]
	if table == nil {
		return Answer{Status: http.StatusNotFound, Why: "no route table " + chain.Table}
	}
	vh := table.Host(host)
	if vh == nil {
		return Answer{Status: http.StatusNotFound, Why: "no virtual host"}
	}
	for i := range vh.Routes {
		if vh.Routes[i].Match(q) {
			return c.follow(&vh.Routes[i], q)
		}
	}
	return Answer{Status: http.StatusNotFound, Why: "no route of virtual host " + vh.Name}
}

// listens returns the listener of a port; nil: none.
func (c *Config) listens(port uint16) *Listener {
	for _, l := range c.Listeners {
		if l.Port == port {
			return l
		}
	}
	return nil
}

// follow returns what the route that matched makes of a request.
func (c *Config) follow(r *Route, q Request) Answer {
	switch {
	case r.Direct != 0:
		return Answer{Status: r.Direct, Why: "it is answered at once"}
	case r.Redirect != nil:
		return Answer{Status: r.Redirect.Status, Location: r.Redirect.location(r, q), Why: "it is redirected"}
	}
	var a Answer
	var why []string
	whole := true
	for _, s := range r.Shares {
		a.Clusters = append(a.Clusters, s.Cluster)
		if s.Weight == 0 {
			continue
		}
		addrs, dynamic, lack := c.members(s.Cluster)
		a.Dynamic = a.Dynamic || dynamic
		a.Endpoints = append(a.Endpoints, addrs...)
		if lack != "" {
			why, whole = append(why, lack), false
		}
	}
	if len(a.Clusters) == 0 {
		why, whole = []string{"the route has no cluster"}, false
	}
	slices.SortFunc(a.Endpoints, netip.AddrPort.Compare)
	a.Endpoints = slices.Compact(a.Endpoints)
	a.Why = strings.Join(why, "; ")
	switch {
	case len(a.Endpoints) == 0 && !a.Dynamic:
		a.Status = http.StatusServiceUnavailable
	case !whole:
		a.Some = http.StatusServiceUnavailable
	}
	return a
}

// members returns the endpoints of a cluster, or why there are none.
func (c *Config) members(name string) (addrs []netip.AddrPort, dynamic bool, lack string) {
	cluster := c.Clusters[name]
	switch {
	case cluster == nil:
		return nil, false, "no cluster " + name
	case cluster.Dynamic:
		return nil, true, ""
	case cluster.Service == "":
		addrs = cluster.Static
	case c.Endpoints[cluster.Service] == nil:
		return nil, false, "endpoints of cluster " + name + " have not come"
	default:
		addrs = c.Endpoints[cluster.Service].Addrs
	}
	if len(addrs) == 0 {
		return nil, false, "no endpoints of cluster " + name
	}
	return addrs, false, ""
}

func (d *Redirect) location(r *Route, q Request) string {
	scheme, host, path := "http", q.Host, q.Path
	if q.TLS {
		scheme = "https"
	}
	scheme, host = cmp.Or(d.Scheme, scheme), cmp.Or(d.Host, withoutPort(host))
	if d.Port != 0 {
		host += ":" + strconv.Itoa(int(d.Port))
	}
	switch {
	case d.Path != "":
		path = d.Path
	case d.Prefix != "":
		path = d.Prefix + strings.TrimPrefix(path, cmp.Or(r.Path.Separated, r.Path.Prefix))
	}
	return scheme + "://" + host + path
}

// Certificate returns the certificate that a TLS client is shown who asks for a name; nil: none.
func (c *Config) Certificate(port uint16, name string) *Secret {
	l := c.listens(port)
	if l == nil {
		return nil
	}
	chain := l.chain(true, name)
	if chain == nil {
		return nil
	}
	return c.Secrets[chain.Secret]
}

// Unused returns the clusters whose endpoints come by themselves that no route of any table names, in their order.
func (c *Config) Unused() []string {
	named := map[string]bool{}
	for _, t := range c.Tables {
		for _, h := range t.Hosts {
			for _, r := range h.Routes {
				for _, s := range r.Shares {
					named[s.Cluster] = true
				}
			}
		}
	}
	var unused []string
	for name, cluster := range c.Clusters {
		if cluster.Service != "" && !named[name] {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}
