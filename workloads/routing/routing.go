// Package routing says which pods may answer a request, or with which status the router does: what Ingresses, services and their endpoints ask for.
//
// It owns the oracle of requests. All of it are pure functions of the state: it opens no connection and knows no SUT, but for what APIs leave open and a
// Dialect decides. An Index is not safe for concurrent use; everything else is plain data.
package routing

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// Request is an HTTP request, as far as routes look at it.
type Request struct {
	Host   string // without a port
	Path   string // without a query
	Method string // empty: GET
	TLS    bool
	Header map[string]string // at most one value each
	Query  map[string]string // likewise
}

// String tells the request in one line, such as "GET https://a.example/b (X-Version: 2)".
func (r Request) String() string {
	scheme, method := "http", r.Method
	if r.TLS {
		scheme = "https"
	}
	if method == "" {
		method = http.MethodGet
	}
	told := method + " " + scheme + "://" + r.Host + r.Path
	for i, name := range slices.Sorted(maps.Keys(r.Query)) {
		told += map[bool]string{true: "?", false: "&"}[i == 0] + name + "=" + r.Query[name]
	}
	var headers []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		headers = append(headers, name+": "+r.Header[name])
	}
	if len(headers) > 0 {
		told += " (" + strings.Join(headers, ", ") + ")"
	}
	return told
}

// Answer is what may answer a request. Where an API leaves open what does, it is all that may.
type Answer struct {
	Backends []workloads.Key  // pods, sorted: one of them answers
	Statuses []int            // sorted: the router answers itself with one of them
	By       []workloads.Part // routes that say so; empty: none matches
}

// Allows reports whether an answer is legal: that of a pod, or, if that is the zero Key, a status of the router's own.
func (a Answer) Allows(pod workloads.Key, status int) bool {
	if pod != (workloads.Key{}) {
		_, found := slices.BinarySearchFunc(a.Backends, pod, workloads.Key.Compare)
		return found && status == http.StatusOK
	}
	return slices.Contains(a.Statuses, status)
}

// Equal reports whether the same may answer, whatever says so.
func (a Answer) Equal(o Answer) bool {
	return slices.Equal(a.Backends, o.Backends) && slices.Equal(a.Statuses, o.Statuses)
}

// Join returns what either allows.
func (a Answer) Join(o Answer) Answer {
	return Answer{
		Backends: merged(a.Backends, o.Backends, workloads.Key.Compare),
		Statuses: merged(a.Statuses, o.Statuses, func(x, y int) int { return x - y }),
		By:       merged(a.By, o.By, workloads.Part.Compare),
	}
}

func merged[T comparable](a, b []T, order func(T, T) int) []T {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, order)
	return slices.Compact(all)
}

// shown is how many pods String names.
const shown = 3

// String tells the answer in words, such as "200 of a/web-1 or a/web-2".
func (a Answer) String() string {
	var all []string
	if len(a.Backends) > 0 {
		var names []string
		for _, b := range a.Backends[:min(shown, len(a.Backends))] {
			names = append(names, b.String())
		}
		told := "200 of " + strings.Join(names, " or ")
		if more := len(a.Backends) - shown; more > 0 {
			told += fmt.Sprintf(" or %d more", more)
		}
		all = append(all, told)
	}
	for _, s := range a.Statuses {
		all = append(all, strconv.Itoa(s))
	}
	return strings.Join(all, " or ")
}

// Dialect is what the APIs leave open and a router decides, and the names under which it looks for routes.
type Dialect struct {
	IngressClass string // of the Ingresses that are its own
	GatewayClass string // of the Gateways that are its own

	// HostsRank: the most specific host that matches decides alone, as virtual hosts do: the name itself before a wildcard, and a wildcard before a
	// rule without a host. Else each host of an Ingress may answer; of HTTPRoutes the most specific does that has a rule which matches.
	HostsRank bool
	// ListenersRank: the routes of a Gateway's listener with the most specific host that matches decide alone. Else those of each that matches do.
	ListenersRank bool
	// SkipsUnserved: a path of an Ingress whose service, or whose port of it, does not exist is as if it were not there.
	SkipsUnserved bool
	Unserved      int // the status of such a path otherwise; 0: 503
	NoEndpoints   int // the status of a route whose service has no endpoint that is ready; 0: 503
	NoBackend     int // the status of an HTTPRoute's backend that is not valid; 0: 500, as the Gateway API says
	// SlicesNeeded: a service without any EndpointSlice is no valid backend of an HTTPRoute. Else it is one without endpoints.
	SlicesNeeded bool
}

func (d Dialect) noBackend() int { return cmp.Or(d.NoBackend, http.StatusInternalServerError) }

func (d Dialect) noEndpoints() int { return cmp.Or(d.NoEndpoints, http.StatusServiceUnavailable) }

func (d Dialect) unserved() int { return cmp.Or(d.Unserved, http.StatusServiceUnavailable) }

// Objects are those that decide about requests. Any number of others may be among them.
type Objects struct {
	Ingresses   []workloads.Ingress
	HTTPProxies []workloads.HTTPProxy
	Gateways    []workloads.Gateway
	HTTPRoutes  []workloads.HTTPRoute
	Services    map[workloads.Key]workloads.Service
	Slices      map[workloads.Key][]workloads.EndpointSlice // by the service
}

// Put adds an object; those of other kinds are left out.
func (o *Objects) Put(object workloads.Object) {
	switch object := object.(type) {
	case workloads.Ingress:
		o.Ingresses = append(o.Ingresses, object)
	case workloads.HTTPProxy:
		o.HTTPProxies = append(o.HTTPProxies, object)
	case workloads.Gateway:
		o.Gateways = append(o.Gateways, object)
	case workloads.HTTPRoute:
		o.HTTPRoutes = append(o.HTTPRoutes, object)
	case workloads.Service:
		if o.Services == nil {
			o.Services = map[workloads.Key]workloads.Service{}
		}
		o.Services[object.Key] = object
	case workloads.EndpointSlice:
		if o.Slices == nil {
			o.Slices = map[workloads.Key][]workloads.EndpointSlice{}
		}
		service := workloads.Key{Namespace: object.Namespace, Name: object.Service}
		o.Slices[service] = append(o.Slices[service], object)
	}
}

// Answer says what may answer a request.
func (d Dialect) Answer(o Objects, r Request) Answer {
	if a, matched := d.httpProxy(o, r); matched {
		return a
	}
	if a, matched := d.httpRoute(o, r); matched {
		return a
	}
	if a, matched := d.ingress(o, r); matched {
		return a
	}
	return Answer{Statuses: []int{http.StatusNotFound}}
}

// backend is a service to which a route leads. Its port has a name or a number.
type backend struct {
	service workloads.Key
	port    int32
	name    string
}

// served returns the service's port; false: there is no such service or port.
func (o Objects) served(b backend) (port workloads.ServicePort, ok bool) {
	for _, p := range o.Services[b.service].Ports {
		if b.name != "" && p.Name == b.name || b.name == "" && p.Port == b.port {
			return p, true
		}
	}
	return port, false
}

// ready returns the pods behind a port of a service that are ready, sorted.
func (o Objects) ready(service workloads.Key, port workloads.ServicePort) (pods []workloads.Key) {
	for _, s := range o.Slices[service] {
		if !slices.ContainsFunc(s.Ports, func(p workloads.EndpointPort) bool { return p.Name == port.Name }) {
			continue
		}
		for _, e := range s.Endpoints {
			if !e.NotReady {
				pods = append(pods, e.Pod)
			}
		}
	}
	slices.SortFunc(pods, workloads.Key.Compare)
	return slices.Compact(pods)
}

// towards is the answer of a route that leads to a service.
func (d Dialect) towards(o Objects, b backend, by workloads.Part) Answer {
	a := Answer{By: []workloads.Part{by}}
	port, ok := o.served(b)
	if !ok {
		a.Statuses = []int{d.unserved()}
		return a
	}
	if a.Backends = o.ready(b.service, port); len(a.Backends) == 0 {
		a.Statuses = []int{d.noEndpoints()}
	}
	return a
}
