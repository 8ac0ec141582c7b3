package scenarios

import (
	"context"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The scenarios in which pods lose addresses while their objects stay.
var _ = register(func(Params) engine.Scenario {
	pod := func(w *engine.World) workloads.Pod { return onStage(w, 0, localClient) }
	return engine.Scenario{
		Name:     "cleared pod address",
		Doc:      "A pod loses its address in status and annotations and is then deleted; the SUT lets go of it, and of nobody else, and serves the next owner of the address.",
		Labels:   []engine.Label{Basic, Identity},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "clear", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ClearIPs(ctx, []workloads.Key{pod(w).Key})
			}},
			{Name: "delete", Moves: effects.Moves{}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePods(ctx, []workloads.Key{pod(w).Key}, workloads.Graceful)
			}},
			{Name: "recover", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: inherit(pod)},
		},
	}
})

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.DualStack = true
	// Two clients of the server that the policy holds, so that its sets have members of both families.
	first := func(w *engine.World) workloads.Pod { return onStage(w, 0, localClient) }
	far := func(w *engine.World) workloads.Pod { return onStage(w, 0, remoteClient) }
	return engine.Scenario{
		Name: "dual stack, one address cleared",
		Doc: "Pods of both families lose the address of one, get it back, lose the other, and then both: routes, sets and connections of that family go," +
			" the other family and everyone else stay as they are. Then one goes with both.",
		Labels:   []engine.Label{Identity, Policy},
		Needs:    []workloads.Feature{workloads.IPv6},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
		Steps: []engine.Step{
			// Of the twenty flows of each family to the server, those of two clients by TCP on one port go on.
			{Name: "guard", Moves: effects.Moves{Connections: 2 * 18}, Do: guarding.Do},
			{Name: "lose IPv6", Moves: effects.Moves{Routes: 1, Connections: 40}, Do: keepAddresses(first, netip.Addr.Is4)},
			{Name: "get it back", Moves: effects.Moves{Routes: 1, Connections: 40}, Do: keepAddresses(first, always)},
			{Name: "lose IPv4", Moves: effects.Moves{Routes: 1, Connections: 40}, Do: keepAddresses(first, netip.Addr.Is6)},
			{Name: "lose both", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, Do: keepAddresses(first, never)},
			// A remote pod talks with the four local ones, of which one has no address now.
			{Name: "a remote pod loses IPv6", Moves: effects.Moves{Connections: 24}, Do: keepAddresses(far, netip.Addr.Is4)},
			{Name: "a remote pod loses both", Moves: effects.Moves{Gauges: 1, Connections: 24}, Do: keepAddresses(far, never)},
			{Name: "delete", Moves: effects.Moves{}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePods(ctx, []workloads.Key{first(w).Key}, workloads.Graceful)
			}},
			// It talks with three local pods and the remote one that has addresses.
			{Name: "recover", Moves: effects.Moves{Gauges: 2, Routes: 2, Connections: 2 * 4 * 8}, Do: inherit(first)},
			{Name: "go with both", Moves: effects.Moves{Gauges: 2, Routes: 2, Connections: 2 * 4 * 8}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePods(ctx, holders(w.Fleet.State(), first(w).IPs[0]), workloads.Graceful)
			}},
		},
	}
})

func always(netip.Addr) bool { return true }
func never(netip.Addr) bool  { return false }

// keepAddresses leaves a pod those of its planned addresses that keep chooses.
func keepAddresses(pod func(*engine.World) workloads.Pod, keep func(netip.Addr) bool) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		p := pod(w)
		var kept []netip.Addr
		for _, ip := range p.IPs {
			if keep(ip) {
				kept = append(kept, ip)
			}
		}
		p.IPs = kept
		return w.Fleet.ReaddressPods(ctx, []workloads.Pod{p})
	}
}

// inherit adds the heir of a planned pod.
func inherit(pod func(*engine.World) workloads.Pod) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		next, err := heir(w, pod(w))
		if err != nil {
			return err
		}
		return w.Fleet.AddPods(ctx, []workloads.Pod{next})
	}
}

// holders are the pods that have an address.
func holders(s workloads.State, ip netip.Addr) []workloads.Key {
	var keys []workloads.Key
	for key, p := range s.Pods().All() {
		if slices.Contains(p.IPs, ip) {
			keys = append(keys, key)
		}
	}
	return keys
}

// heir is a pod like the old one in all but its name: it has its addresses too.
func heir(w *engine.World, old workloads.Pod) (workloads.Pod, error) {
	next, err := w.Plan.Successor(old)
	if err != nil {
		return workloads.Pod{}, err
	}
	old.Name = next.Name
	return old, nil
}
