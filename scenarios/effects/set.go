// Package effects knows what must hold in every scenario: that the SUT is in sync and counts what there is, that the kernel holds the routes
// and rules that it must, and that real packets pass or are dropped as the policies in force say, after every step and all along.
//
// It owns the probes, the flows that are tried, and the judgement packet by packet: which verdicts are legal for a packet at its time. It
// reaches the kernel and the wire through the small interfaces in Set. What it starts it ends with the scenario.
package effects

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Set are the effects of one SUT on one machine, with what they look at. A nil field is something that the SUT or the machine lacks.
type Set struct {
	Kernel        Kernel // never nil
	Connector     Connector
	HostInterface func(namespace, pod string) string
	Routed        bool // the SUT routes to the pods; else whoever plugs them does
	Rejects       bool // the SUT refuses what policies deny, and does not only drop it: both count as dropped

	Programmer Programmer // nil: the target can't say what it programs
	Layout     *Layout    // of the release's rules; nil: the Programmer is known to fit it
	Node       *Node      // nil: traffic of the node itself is not looked at
	Streamer   Streamer   // nil: no packets are sent but those of Connector
	Converser  Converser  // nil: no established flows are watched
	Loader     Loader     // nil: there is no continuous traffic
	Impairer   Impairer   // nil: no link can be made worse
	Spreader   Spreader   // nil: nobody spreads an address over pods
	Lossy      Lossy      // nil: no packets of pods can be lost
	Sockets    Sockets    // nil: pods have no sockets of their own
	Elections  Elections  // nil: none can be held
	Way        Way        // nil: the agent has no way of its own to the API server
	Inspect    Inspector  // nil: nobody looks into the SUT
	// Tracked tells of each address that is asked for which connections the node's kernel tracks that begin there, or whose answers do; nil:
	// the SUT does not promise to forget those of addresses that are gone.
	Tracked func(asked func(netip.Addr) bool) (map[netip.Addr][]string, error)
	// Known are the issues of the SUT's release that are written down: what they explain of packets is excused, unless JudgeAll was called.
	Known []report.KnownIssue
}

// Kernel is the node's kernel state.
type Kernel interface {
	Routes() (map[string]string, error) // host routes: prefix to interface
	Links() ([]string, error)
	Programmed(ctx context.Context) (*kernel.State, error) // rules, sets and interfaces
}

// Of returns the effects of a world. That of another kind of SUT has others; then it panics, for the scenario should have asked for what it needs.
func Of(w *engine.World) *Set { return w.Effects.(*Set) }

// Ready wants the SUT to be in sync.
func (e *Set) Ready(w *engine.World) []engine.Probe { return e.ifSeen(w, InSync{w.SUT}) }

// Always returns the effects. The kernel comes before the packets: it says which of its objects is wrong.
func (e *Set) Always(w *engine.World) []engine.Probe {
	all := e.ifSeen(w, InSync{w.SUT}, Gauges{w.SUT}, e.Routes())
	switch {
	case e.Programmer == nil:
	case e.Layout.Foreign():
		all = append(all, e.counts(w))
	default:
		all = append(all, Programmed{e.counts(w), e.Layout})
	}
	if e.Tracked != nil {
		all = append(all, Forgotten{w.Fleet.Vacated, e.Tracked})
	}
	all = append(all, e.connections())
	if e.Node != nil {
		all = append(all, NodeConnections{*e.Node, e.dial})
	}
	return all
}

// Residue reads the kernel's links.
func (e *Set) Residue(w *engine.World) (engine.Probe, error) {
	links, err := e.Kernel.Links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return Residue{Baseline: links, Links: e.Kernel.Links, Verify: w.Fleet.Verify}, nil
}

// Watch sends on a sample of flows and judges each packet.
func (e *Set) Watch(ctx context.Context, w *engine.World) engine.Watch {
	if e.Streamer == nil {
		return nil
	}
	return startWatch(ctx, w.Fleet, e.Streamer, e.Known)
}

// Routes returns the probe of the host routes.
func (e *Set) Routes() Routes { return Routes{e.Kernel.Routes, e.HostInterface} }

func (e *Set) counts(w *engine.World) Counts { return Counts{e.Programmer, e.Kernel.Programmed, w.SUT} }

func (e *Set) connections() Connections { return Connections{e.dial} }

// dial makes connections and returns what became of each.
func (e *Set) dial(ctx context.Context, flows []Flow) (Outcomes, error) {
	outcomes, err := e.Connector.Connect(ctx, flows)
	if err != nil {
		return nil, err
	}
	for f, o := range outcomes {
		if e.Rejects && o.Kind == Refused {
			outcomes[f] = Outcome{Kind: Dropped}
		}
	}
	return outcomes, nil
}

// ifSeen leaves out probes that the SUT does not let see what they look at.
func (e *Set) ifSeen(w *engine.World, probes ...engine.Probe) (seen []engine.Probe) {
	for _, p := range probes {
		var shown bool
		switch p.(type) {
		case InSync:
			shown = w.SUT.Shows(metrics.InSync)
		case Gauges:
			shown = w.SUT.Shows(metrics.Endpoints) && w.SUT.Shows(metrics.LocalEndpoints)
		case Routes:
			shown = e.Routed
		default:
			shown = true
		}
		if shown {
			seen = append(seen, p)
		}
	}
	return seen
}

// watchOf returns what judges a world's packets all along; nil: nothing does.
func watchOf(w *engine.World) *streamWatch {
	v, _ := w.Watching().(*streamWatch)
	return v
}

// JudgeAll excuses nothing of the running scenario, whatever is known of the SUT, and records why.
func JudgeAll(w *engine.World, why string) {
	w.Record(report.Entry{Unexcused: why})
	if v := watchOf(w); v != nil {
		v.judgeAll()
	}
}
