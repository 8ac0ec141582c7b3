package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/requests"
)

var _ = register(func(p Params) engine.Scenario {
	l := loadOf(p)
	kind := "plain"
	if l.tls {
		kind = "TLS"
	}
	through := ""
	if l.proxies > 1 {
		through = fmt.Sprintf(", through %d instances", l.proxies)
	}
	return engine.Scenario{
		Name: "requests at a rate",
		Doc: "Requests to so many routes at a constant rate, on so many connections beside idle ones: latency from when each was due, errors, and what was" +
			" achieved, beside what the machine can do without the SUT. Connections are spread evenly over the instances of the SUT, if there are several. It is meant for fv sweep.",
		Labels:   []engine.Label{Requests, Clock, Scale, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests},
		Timeout:  30 * time.Minute,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 4, Local: -1}),

		Instances: l.proxies,
		Steps: []engine.Step{
			{Name: fmt.Sprintf("%d routes", l.routes), Do: l.serve},
			{Name: "what the machine can do", Do: l.calibrate},
			{Name: fmt.Sprintf("%d/s on %d connections and %d idle, %d bytes, %s, %v%s", l.rate, l.connections, l.idle, l.payload, kind, l.lasts, through), Do: l.press, Settle: true},
		},
	}
})

// rated is a load of requests through the SUT.
type rated struct {
	connections, idle, rate, payload, routes, proxies int
	tls                                               bool
	lasts                                             time.Duration

	capacity float64 // requests a second that client and backends can do without the SUT
}

func loadOf(p Params) *rated {
	return &rated{
		connections: or(p.Connections, 50), idle: or(p.Idle, 0), rate: or(p.Requests, 500), payload: or(p.Payload, 600), routes: or(p.Routes, 10), tls: or(p.TLS, 0) > 0,
		proxies: or(p.Proxies, 1), lasts: time.Duration(or(p.Seconds, 20)) * time.Second,
	}
}

// calibrating is how long the machine is tried.
const calibrating = 2 * time.Second

// pods are those of the node, in order.
func podsHere(w *engine.World) (here []workloads.Pod) {
	s := w.Fleet.State()
	for _, p := range w.Plan.Ring(s) {
		if p.Node == s.LocalNode && len(p.IPs) > 0 {
			here = append(here, p)
		}
	}
	return here
}

func routeHost(i int) string { return fmt.Sprintf("route-%04d.example", i) }

// serve makes a service of all pods for each route, and the routes.
func (l *rated) serve(ctx context.Context, w *engine.World) error {
	f, pods := frontOf(w), podsHere(w)
	if len(pods) == 0 {
		return fmt.Errorf("no pod of the node could serve")
	}
	var services []workloads.Service
	var slices []workloads.EndpointSlice
	var routes []workloads.Object
	for i := range l.routes {
		service, slice := f.Service(fmt.Sprintf("route-%04d", i), pods[:min(len(pods), 1000)]...)
		services, slices, routes = append(services, service), append(slices, slice), append(routes, f.route(service.Name, routeHost(i), service.Key))
	}
	err := errors.Join(w.Fleet.AddServices(ctx, services), w.Fleet.AddEndpointSlices(ctx, slices), f.open(ctx), w.Fleet.Add(ctx, routes...))
	if err == nil && l.tls {
		err = f.openTLS(ctx)
	}
	return err
}

var errNoPresser = errors.New("no load of requests can be made here")

// calibrate finds what client and backends can do without the SUT, in a closed loop, and notes it.
func (l *rated) calibrate(ctx context.Context, w *engine.World) error {
	presser, ok := routed.PresserOf(w)
	if !ok {
		return errNoPresser
	}
	var to []netip.AddrPort
	for _, p := range podsHere(w)[:min(len(podsHere(w)), 16)] {
		to = append(to, netip.AddrPortFrom(p.IPs[0], routed.BackendPort))
	}
	r, err := presser.Press(ctx, requests.Load{
		To: to, Mix: []requests.Ask{{Host: routeHost(0)}}, Connections: min(l.connections, 64), Closed: true, Size: l.payload, Duration: calibrating,
	})
	if err != nil {
		return err
	}
	if l.capacity = r.Achieved(); l.capacity == 0 {
		return fmt.Errorf("no backend answers without the SUT: %s", r)
	}
	w.Measure(metrics.Measurement{
		Name: "capacity", Unit: "1/s", Doc: "Requests a second that client and backends do without the SUT, in a closed loop: beyond it a load says nothing of the SUT.",
		Samples: []metrics.Sample{{At: r.Began, Value: l.capacity}},
	})
	return nil
}

// fromOne is how many connections come from one address at most: the kernel's range of ports has some thousands more.
const fromOne = 20_000

// load is what is put on the SUT.
func (l *rated) load(w *engine.World) requests.Load {
	p, _ := routed.ProxiedOf(w)
	pods := podsHere(w)
	load := requests.Load{
		From: []requests.Origin{{}}, To: p.Entrances(l.tls), Connections: l.connections, Idle: l.idle, Rate: float64(l.rate), Size: l.payload, Duration: l.lasts, TLS: l.tls,
	}
	for i := 0; i < len(pods) && len(load.From)*len(load.To)*fromOne < l.connections+l.idle; i++ {
		load.From = append(load.From, requests.Origin{Pod: pods[i].Key})
	}
	var may []string
	for _, p := range pods {
		may = append(may, p.Key.String())
	}
	for i := range l.routes {
		load.Mix = append(load.Mix, requests.Ask{Host: routeHost(i), Path: "/", Backends: may})
	}
	return load
}

// press puts the load on the SUT and judges it: an answer of who may not is wrong at any rate; errors are, unless the SUT had more than it could do.
func (l *rated) press(ctx context.Context, w *engine.World) error {
	presser, ok := routed.PresserOf(w)
	if !ok {
		return errNoPresser
	}
	load := l.load(w)
	if l.tls && !load.To[0].IsValid() {
		return fmt.Errorf("the SUT does not listen for TLS")
	}
	before, err := presser.Environment(&load)
	if err != nil {
		return err
	}
	w.Record(report.Entry{Environment: &before})
	r, err := presser.Press(ctx, load)
	if err != nil {
		return err
	}
	after, err := presser.Environment(&load)
	if err != nil {
		return err
	}
	w.Record(report.Entry{Environment: &after})
	tellRequests(w, "requests", r, l.capacity)
	return judgeRequests(w, r, l.capacity)
}

// tellRequests notes what became of a load.
func tellRequests(w *engine.World, name string, r requests.Report, capacity float64) {
	doubt := beyond(r, capacity)
	one := func(name string, unit metrics.Unit, doc string, v float64) {
		m := metrics.Measurement{Name: name, Unit: unit, Doc: doc, Samples: []metrics.Sample{{At: r.Began, Value: v}}}
		if unit != metrics.Count { // what was counted is known all the same
			m.Invalid = doubt
		}
		w.Measure(m)
	}
	one("requests asked", "1/s", "Requests that were due, once warm.", r.Asked())
	one("requests achieved", "1/s", "Requests that were answered right, once warm.", r.Achieved())
	one("requests bad", metrics.Count, "Requests that were answered wrongly or not at all, of all.", float64(r.Count.Bad()))
	if capacity > 0 {
		one("share of capacity", metrics.Count, "What was asked for, of what client and backends do without the SUT.", r.Asked()/capacity)
	}
	if r.Load.Idle > 0 {
		one("idle connections", metrics.Count, "Idle connections that were answered once, and still stood at the end.", float64(r.IdleStood-r.IdleLost))
	}
	for _, m := range []metrics.Measurement{r.Latency, r.Lateness, r.Connect} {
		if m.N() > 0 {
			if m.Name == r.Latency.Name {
				if m.Invalid = doubt; r.Overloaded && doubt == "" {
					m.Invalid = "overloaded: it is that of a queue that grows"
				}
			}
			w.Measure(m)
		}
	}
	for _, c := range r.Courses(name) {
		w.Record(report.Entry{Course: &c})
	}
}

// near is the share of what the machine can do without the SUT beyond which a load says nothing of it.
const near = 0.8

// beyond says why the times of a load are not the SUT's; empty: nothing speaks against that.
func beyond(r requests.Report, capacity float64) string {
	if why := r.Doubt(); why != "" {
		return why
	}
	if share := r.Asked() / capacity; capacity > 0 && share > near {
		return fmt.Sprintf("client-bound: the load is %.0f %% of what client and backends do without the SUT", 100*share)
	}
	return ""
}

// judgeRequests says whether the answers were right. A load that says nothing of the SUT is inconclusive.
func judgeRequests(w *engine.World, r requests.Report, capacity float64) error {
	f := report.Finding{At: time.Now(), Kind: report.Expectation, Name: "answers", Facts: int(r.Count.Sent)}
	wrong := func(n uint64, what string) {
		f.Differences = append(f.Differences, report.Difference{Fact: "answers of routes", Want: "right", Got: fmt.Sprintf("%d %s", n, what)})
		f.Differing += int(n)
	}
	for _, who := range slices.Sorted(maps.Keys(r.Count.Strangers)) {
		wrong(r.Count.Strangers[who], fmt.Sprintf("answered by %q, who may not", who))
	}
	if r.Achieved() >= requests.Sufficed*r.Asked() {
		for _, what := range slices.Sorted(maps.Keys(r.Count.Wrong)) {
			wrong(r.Count.Wrong[what], what)
		}
		for _, how := range slices.Sorted(maps.Keys(r.Count.Failures)) {
			if !how.Ours() {
				wrong(r.Count.Failures[how], string(how))
			}
		}
	}
	if bad := r.Count.Bad(); f.Differing == 0 && (r.Overloaded || bad > 0) {
		f.Note = fmt.Sprintf("%d requests were bad: the SUT did %.0f/s of %.0f/s", bad, r.Achieved(), r.Asked())
	}
	if f.Facts > 0 {
		w.Note(f)
	}
	if f.Differing > 0 {
		return fmt.Errorf("%d requests were not answered right: %w", f.Differing, engine.ErrBroken)
	}
	if r.Count.Right == 0 {
		return fmt.Errorf("nothing was answered:\n%s", r)
	}
	if why := beyond(r, capacity); why != "" {
		return fmt.Errorf("invalid: %s", why)
	}
	return nil
}
