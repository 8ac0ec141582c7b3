package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/requests"
)

var _ = register(func(p Params) engine.Scenario {
	c := capacity{connections: or(p.Connections, 50), idle: or(p.Idle, 0), payload: or(p.Payload, 600), proxies: or(p.Proxies, 1)}
	with := fmt.Sprintf("%d connections and %d idle, %d bytes", c.connections, c.idle, c.payload)
	return engine.Scenario{
		Name: "capacity of requests",
		Doc: "What client, network and a bare proxy can do on this machine, without the SUT: requests and bytes a second, and up to which rate the client is" +
			" punctual. It comes before any load on a SUT.",
		Labels:   []engine.Label{Requests, Clock, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests},
		Timeout:  30 * time.Minute,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 4, Local: -1}),
		Steps: []engine.Step{
			{Name: "straight to the backends, " + with, Do: func(ctx context.Context, w *engine.World) error { return c.try(ctx, w, "straight", straight(w)) }},
			{Name: fmt.Sprintf("through %d bare proxies, %s", c.proxies, with), Do: c.throughProxies},
		},
	}
})

// capacity is what is tried.
type capacity struct{ connections, idle, payload, proxies int }

// straight are the backends themselves.
func straight(w *engine.World) (to []netip.AddrPort) {
	for _, p := range podsHere(w) {
		to = append(to, netip.AddrPortFrom(p.IPs[0], routed.BackendPort))
	}
	return to
}

// referencePort is where the first bare proxy listens.
const referencePort = 18_080

// throughProxies tries bare proxies, each on a port of its own.
func (c capacity) throughProxies(ctx context.Context, w *engine.World) (err error) {
	presser, ok := routed.PresserOf(w)
	if !ok {
		return errNoPresser
	}
	proxied, _ := routed.ProxiedOf(w)
	var to []netip.AddrPort
	for i := range c.proxies {
		port := uint16(referencePort + i)
		stop, err := presser.Reference(ctx, port, straight(w))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		to = append(to, netip.AddrPortFrom(proxied.HTTP.Addr(), port))
	}
	return c.try(ctx, w, fmt.Sprintf("%d bare proxies", c.proxies), to)
}

// shares are those of what a closed loop does that are tried as constant rates, the highest first: the first that holds counts.
var shares = []float64{0.9, 0.75, 0.6, 0.45, 0.3, 0.15}

// try finds what can be done by a way: at most, in a closed loop, and at a constant rate with a punctual client.
func (c capacity) try(ctx context.Context, w *engine.World, way string, to []netip.AddrPort) error {
	presser, ok := routed.PresserOf(w)
	if !ok {
		return errNoPresser
	}
	load := requests.Load{From: []requests.Origin{{}}, To: to, Mix: []requests.Ask{{Host: routeHost(0)}}, Connections: c.connections, Size: c.payload, Duration: 6 * time.Second}
	for _, p := range podsHere(w) {
		if len(load.From)*len(to)*fromOne >= c.connections+c.idle {
			break
		}
		load.From = append(load.From, requests.Origin{Pod: p.Key})
	}
	one := func(at time.Time, name string, unit metrics.Unit, doc string, v float64, invalid string) {
		w.Measure(metrics.Measurement{Name: name, Unit: unit, Doc: doc, Labels: []metrics.Label{{Name: "way", Value: way}}, Samples: []metrics.Sample{{At: at, Value: v}}, Invalid: invalid})
	}
	closed := load
	closed.Closed = true
	most, err := presser.Press(ctx, closed)
	if err != nil {
		return err
	}
	if most.Achieved() == 0 {
		return fmt.Errorf("%s: nothing was answered:\n%s", way, most)
	}
	one(most.Began, "requests at most", "1/s", "In a closed loop, without the SUT.", most.Achieved(), most.Cold)
	one(most.Began, "bytes at most", "bytes/s", "Of answers' bodies, in a closed loop, without the SUT.", most.Achieved()*float64(c.payload), most.Cold)
	load.Idle = c.idle
	var last requests.Report
	for _, share := range shares {
		load.Rate = share * most.Achieved()
		r, err := presser.Press(ctx, load)
		if err != nil {
			return err
		}
		if last = r; r.Doubt() != "" || r.Count.Bad() > 0 || r.Achieved() < 0.99*r.Asked() {
			continue
		}
		one(r.Began, "punctual rate", "1/s", "The highest constant rate that was tried at which the client is punctual (P99 of its lateness below 1 ms) and nothing is bad, without the SUT.", r.Achieved(), "")
		if c.idle > 0 {
			one(r.Began, "idle connections", metrics.Count, "Idle connections that stood beside it, to the end.", float64(r.IdleStood-r.IdleLost), "")
		}
		latency := r.Latency
		latency.Labels = []metrics.Label{{Name: "way", Value: way}}
		w.Measure(latency)
		for _, course := range r.Courses(way) {
			w.Record(report.Entry{Course: &course})
		}
		return nil
	}
	return fmt.Errorf("%s: no constant rate holds, not even %.0f/s: this machine is too busy:\n%s", way, last.Load.Rate, last)
}
