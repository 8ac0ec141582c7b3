package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/time/rate"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// routesChurn is how many routes come and go a second beside what is timed, unless --rate says otherwise.
const routesChurn = 20

var _ = register(func(p Params) engine.Scenario {
	n, churn := or(p.Routes, 3000), float64(routesChurn)
	if p.Rate != nil && *p.Rate > 0 {
		churn = *p.Rate
	}
	f := &routeField{routes: n, endpoints: or(p.Endpoints, max(n, 10_000*n/3000))}
	some := or(p.Cycles, min(n, 50))
	return engine.Scenario{
		Name: "three thousand routes",
		Doc: "Routes come one by one, each to a service of its own; after each the whole configuration of the proxy must be what the model says. Then routes and endpoints" +
			" change, at rest and while others come and go: how long until each has reached the proxy.",
		Labels:   []engine.Label{Requests, Clock, Scale, Slow},
		Needs:    []workloads.Feature{workloads.HTTPRouting, workloads.ProxyConfig},
		Timeout:  2 * time.Hour,
		Topology: workloads.Topology{Namespaces: or(p.Namespaces, 10), PodsPerNamespace: 1, RemoteNodes: 1},
		Steps: []engine.Step{
			{Name: fmt.Sprintf("%d services", n), Do: f.serve},
			{Name: fmt.Sprintf("%d routes", n), Do: f.addAll, Settle: true},
			{Name: "rest", Repeat: some, Do: func(ctx context.Context, w *engine.World) error { return f.timeSome(ctx, w, "rest") }},
			{Name: "churn", Do: func(ctx context.Context, w *engine.World) error {
				return f.amidChurn(ctx, w, churn, func(ctx context.Context) error {
					for range some {
						if err := f.timeSome(ctx, w, fmt.Sprintf("%g operations/s", churn)); err != nil {
							return err
						}
					}
					return nil
				})
			}},
			{Name: "no routes", Do: f.removeAll, Settle: true},
			{Name: "all at once", Do: f.addTimed, Patience: time.Minute},
		},
	}
})

// routeField is a cluster of many routes: each leads from a host of its own to a service of its own. In each namespace one service more is idle: no
// route leads to it.
type routeField struct {
	routes, endpoints int
}

func (f *routeField) key(w *engine.World, i int) workloads.Key {
	all := w.Plan.State().Namespaces().List()
	return workloads.Key{Namespace: all[i%len(all)].Name, Name: f.name(i)}
}

func (*routeField) name(i int) string { return fmt.Sprintf("route-%04d", i) }

func (f *routeField) request(w *engine.World, i int) routing.Request {
	return routing.Request{Host: f.key(w, i).Name + ".example", Path: "/"}
}

// beside returns the numbers of two services in the namespace of a route: one that another route leads to, if there is any, and the idle one.
func (f *routeField) beside(w *engine.World, i int) (other, idle int) {
	step := len(w.Plan.State().Namespaces().List())
	for idle = i; idle < f.routes; idle += step {
	}
	if other = i + step; other >= f.routes {
		other = i % step
	}
	return other, idle
}

// service is that of a route with its endpoints, which are the generation's. They are not pods: the SUT looks at their slices alone.
func (f *routeField) service(w *engine.World, i, generation int) (workloads.Service, workloads.EndpointSlice) {
	key, port := f.key(w, i), int32(8080)
	slice := workloads.EndpointSlice{Key: key, Service: key.Name, Ports: []workloads.EndpointPort{{Name: "http", Port: port}}}
	first, last := f.endpoints*i/f.routes, f.endpoints*(i+1)/f.routes
	for e := first; e < max(last, first+1); e++ {
		g := 0
		if e == first {
			g = generation
		}
		addr := netip.AddrFrom4([4]byte{10, byte(200 + g%50), byte(e >> 8), byte(e)})
		slice.Endpoints = append(slice.Endpoints, workloads.ServiceEndpoint{Pod: workloads.Key{Namespace: key.Namespace, Name: fmt.Sprintf("e-%d-%d", e, g)}, Addr: addr})
	}
	return workloads.Service{Key: key, Ports: []workloads.ServicePort{{Name: "http", Port: port}}}, slice
}

// ingress leads from the route's host to a service.
func (f *routeField) ingress(w *engine.World, i, service int) workloads.Ingress {
	prefix := networkingv1.PathTypePrefix
	class := routed.DialectOf(w).IngressClass
	to := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: f.key(w, service).Name, Port: networkingv1.ServiceBackendPort{Name: "http"}}}
	return workloads.Ingress{Key: f.key(w, i), Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
		Host: f.request(w, i).Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: to}},
		}},
	}}}}
}

// serve makes all services.
func (f *routeField) serve(ctx context.Context, w *engine.World) error {
	var services []workloads.Service
	var slices []workloads.EndpointSlice
	for i := range f.routes + len(w.Plan.State().Namespaces().List()) {
		service, slice := f.service(w, i, 0)
		services, slices = append(services, service), append(slices, slice)
	}
	return errors.Join(w.Fleet.AddServices(ctx, services), w.Fleet.AddEndpointSlices(ctx, slices))
}

// addAll makes the routes one by one; after each all that is configured must be right.
func (f *routeField) addAll(ctx context.Context, w *engine.World) error {
	configured, _ := routed.ConfiguredOf(w)
	begun, facts := time.Now(), 0
	var statuses []func() error
	for i := range f.routes {
		wait, err := f.published(ctx, w, i)
		if err != nil {
			return err
		}
		statuses = append(statuses, wait)
		err = configured.Time(ctx, w, routed.Configure{
			Operation: "route added", Load: "rest", Request: f.request(w, i),
			Do: func(ctx context.Context) error {
				return w.Fleet.AddIngresses(ctx, []workloads.Ingress{f.ingress(w, i, i)})
			},
		})
		if err != nil {
			return err
		}
		err = w.Check(ctx, 0, func(found report.Finding) {
			facts += found.Facts
			if found.Differing > 0 || found.Error != "" || i == f.routes-1 {
				w.Note(found)
			}
		})
		if err != nil {
			return fmt.Errorf("after route %d of %d: %w", i+1, f.routes, err)
		}
	}
	for _, wait := range statuses {
		if err := wait(); err != nil {
			return err
		}
	}
	w.Measure(metrics.Measurement{
		Name: "facts compared", Doc: "Answers of the configuration that were compared with the model, after each route that came.",
		Samples: []metrics.Sample{{At: begun, Value: float64(facts)}},
	})
	return nil
}

// publishedOf is how many of the routes that come one by one are asked when the API says where they are served.
const publishedOf = 100

// publishedBound is how long that may take.
const publishedBound = 5 * time.Minute

// published begins to wait until the API says where a route is served that is about to come, for some of the routes; what it returns waits and records how
// long it took.
func (f *routeField) published(ctx context.Context, w *engine.World, i int) (wait func() error, err error) {
	if i%max(1, f.routes/publishedOf) != 0 {
		return func() error { return nil }, nil
	}
	since := time.Now()
	within, cancel := context.WithTimeoutCause(ctx, publishedBound, fmt.Errorf("it was not written within %v", publishedBound))
	heard, err := w.Fleet.AwaitPublished(within, f.key(w, i))
	if err != nil {
		cancel()
		return nil, err
	}
	return func() error {
		defer cancel()
		at, err := heard()
		m := publishedIn("one by one", since, at.Sub(since))
		if err != nil {
			m.Samples, m.Without = nil, 1
		}
		w.Measure(m)
		return context.Cause(ctx)
	}, nil
}

func publishedIn(how string, since time.Time, took time.Duration) metrics.Measurement {
	return metrics.Measurement{
		Name: "published", Unit: metrics.Seconds, Labels: []metrics.Label{{Name: "routes come", Value: how}},
		Doc:     "From the beginning of the API write until the status of the Ingress said where it is served.",
		Samples: []metrics.Sample{metrics.Since(since, took, 0)},
	}
}

// addTimed makes all routes at once, and measures how long it takes until all are configured, and until the API says where all are served.
func (f *routeField) addTimed(ctx context.Context, w *engine.World) error {
	begun := time.Now()
	if err := f.addAtOnce(ctx, w); err != nil {
		return err
	}
	if err := w.Check(ctx, time.Minute, w.Note); err != nil {
		return err
	}
	w.Measure(metrics.Measurement{
		Name: "all configured", Unit: metrics.Seconds, Doc: "From the beginning of the first API write until the configuration was what the model says of all routes.",
		Samples: []metrics.Sample{metrics.Since(begun, time.Since(begun), 0)},
	})
	left := 1
	for deadline := begun.Add(publishedBound); left > 0 && time.Now().Before(deadline); {
		var err error
		if left, err = w.Fleet.Unpublished(ctx); err != nil {
			return err
		}
		if err := engine.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	m := publishedIn("all at once", begun, time.Since(begun))
	if left > 0 {
		m.Samples, m.Without, m.Invalid = nil, 1, fmt.Sprintf("after %v there was none of %d routes", publishedBound, left)
	}
	w.Measure(m)
	return nil
}

// timeSome times a change of each kind to one route, and leaves its answer as it was.
func (f *routeField) timeSome(ctx context.Context, w *engine.World, load string) error {
	configured, _ := routed.ConfiguredOf(w)
	i := w.Rand.IntN(f.routes)
	other, idle := f.beside(w, i)
	_, changed := f.service(w, i, 1+w.Rand.IntN(49))
	_, back := f.service(w, i, 0)
	for _, step := range []struct {
		operation string
		do        func(context.Context) error
	}{
		{"endpoint replaced", func(ctx context.Context) error {
			return w.Fleet.ChangeEndpointSlices(ctx, []workloads.EndpointSlice{changed})
		}},
		{"endpoint replaced", func(ctx context.Context) error {
			return w.Fleet.ChangeEndpointSlices(ctx, []workloads.EndpointSlice{back})
		}},
		{"route moved", func(ctx context.Context) error {
			return w.Fleet.ChangeIngresses(ctx, []workloads.Ingress{f.ingress(w, i, other)})
		}},
		{"route moved to an idle service", func(ctx context.Context) error {
			return w.Fleet.ChangeIngresses(ctx, []workloads.Ingress{f.ingress(w, i, idle)})
		}},
		{"route deleted", func(ctx context.Context) error { return w.Fleet.RemoveIngresses(ctx, []workloads.Key{f.key(w, i)}) }},
		{"route added", func(ctx context.Context) error {
			return w.Fleet.AddIngresses(ctx, []workloads.Ingress{f.ingress(w, i, i)})
		}},
	} {
		if step.operation == "route moved" && other == i {
			continue // it is alone in its namespace
		}
		if err := configured.Time(ctx, w, routed.Configure{Operation: step.operation, Load: load, Request: f.request(w, i), Do: step.do}); err != nil {
			return err
		}
	}
	return nil
}

// amidChurn does something while other routes, to services that stay, come and go at a rate of so many operations a second.
func (f *routeField) amidChurn(ctx context.Context, w *engine.World, perSecond float64, do func(context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	churned := make(chan error, 1)
	go func() { churned <- f.comeAndGo(within, w, perSecond) }()
	err := do(ctx)
	cancel()
	return errors.Join(err, <-churned)
}

// comeAndGo adds and removes routes so many times a second, five of them there at once, until ctx ends; then it removes what is left of them.
func (f *routeField) comeAndGo(ctx context.Context, w *engine.World, perSecond float64) error {
	clock, finish := rate.NewLimiter(rate.Limit(perSecond), 1), context.WithoutCancel(ctx)
	var living []workloads.Key
	for n := 0; clock.Wait(ctx) == nil; n++ {
		if len(living) == 5 {
			if err := w.Fleet.RemoveIngresses(finish, living[:1]); err != nil {
				return err
			}
			living = living[1:]
			continue
		}
		guest := f.ingress(w, n%f.routes, n%f.routes)
		guest.Name = fmt.Sprintf("guest-%d", n)
		guest.Spec.Rules[0].Host = guest.Name + ".example"
		if err := w.Fleet.AddIngresses(finish, []workloads.Ingress{guest}); err != nil {
			return err
		}
		living = append(living, guest.Key)
	}
	return w.Fleet.RemoveIngresses(finish, living)
}

// removeAll removes all routes at once, while their services stay: nothing may be left of them in the configuration.
func (f *routeField) removeAll(ctx context.Context, w *engine.World) error {
	var keys []workloads.Key
	for i := range f.routes {
		keys = append(keys, f.key(w, i))
	}
	return w.Fleet.RemoveIngresses(ctx, keys)
}
