package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// OrderedTraffic is the scenario that makes the traffic that a user asks for, and gives the report to tell.
func OrderedTraffic(o load.Order, tell func(load.Report) error) engine.Scenario {
	lasts := cmp.Or(o.Spec.Duration, load.Longest)
	o.Spec.Duration, o.Spec.Capacity = lasts, !o.Spec.Idle
	topology := workloads.Topology{RemoteNodes: min(o.Remote(), 1), Namespaces: 1, PodsPerNamespace: o.Pods, Local: -1, DualStack: o.IPv6}
	if o.Remote() > 0 {
		topology.Local = o.Local()
	}
	return engine.Scenario{
		Name: "traffic", Doc: "Pods talk as the order says.", Labels: []engine.Label{Slow}, Timeout: lasts + brief,
		Topology: topology,
		Steps: []engine.Step{{Name: "talk", Do: func(ctx context.Context, w *engine.World) error {
			if err := w.Converge(ctx); err != nil {
				return err
			}
			report, err := carryOrdered(ctx, w, o)
			if err != nil {
				return err
			}
			if err := tell(report); err != nil {
				return fmt.Errorf("tell what became of the traffic: %w", err)
			}
			return effects.Within("traffic", o.Budget, report)
		}}},
	}
}

// carryOrdered makes the traffic that is ordered. The servers of a service are the first pods of the node.
func carryOrdered(ctx context.Context, w *engine.World, o load.Order) (r load.Report, err error) {
	flows, servers, err := orderedFlows(w, o)
	if err != nil {
		return r, err
	}
	if o.To == load.OfService {
		spreader := effects.Of(w).Spreader
		if spreader == nil {
			return r, effects.ErrNoSpread
		}
		spread, err := spreader.Spread(servers, effects.Spreading{})
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, spread.Close()) }()
		o.Spec.Servers = servers
	}
	reports, err := effects.Carry(ctx, w, []effects.Carrying{{Name: "ordered", Flows: flows, Spec: o.Spec}}, func(context.Context) error { return nil })
	if err != nil {
		return r, err
	}
	return reports[0], nil
}

// orderedFlows are those between the ends that the order names, by each family that both have, and the pods that serve a service.
func orderedFlows(w *engine.World, o load.Order) (flows []effects.Flow, behind []workloads.Key, err error) {
	ends := map[load.Ends][]workloads.Pod{}
	for _, p := range w.Plan.Ring(w.Fleet.State()) {
		of := load.OfPods
		if p.Node != w.Fleet.State().LocalNode {
			of = load.OfRemote
		}
		ends[of] = append(ends[of], p)
	}
	if node := effects.Of(w).Node; node != nil {
		ends[load.OfNode] = []workloads.Pod{{Node: w.Fleet.State().LocalNode, IPs: []netip.Addr{node.Addr}}}
	}
	if o.To == load.OfService {
		here := ends[load.OfPods]
		if len(here) < o.Behind {
			return nil, nil, fmt.Errorf("traffic to a service: the node has %d pods, %d are to serve", len(here), o.Behind)
		}
		behind, ends[load.OfPods] = keysOf(here[:o.Behind]), here[o.Behind:]
		ends[load.OfService] = []workloads.Pod{{Node: w.Fleet.State().LocalNode, IPs: []netip.Addr{effects.SpreadAddress}}}
	}
	senders, servers := ends[cmp.Or(o.From, load.OfPods)], ends[cmp.Or(o.To, load.OfPods)]
	if len(senders) == 0 || len(servers) == 0 {
		return nil, nil, fmt.Errorf("traffic from %s to %s: this target does not say what becomes of the node's own traffic", o.From, o.To)
	}
	server := servers[0]
	for _, from := range senders {
		for index := range min(len(from.IPs), len(server.IPs)) {
			if (from.Key != server.Key || behind != nil) && from.IPs[index].Is4() == server.IPs[index].Is4() {
				flows = append(flows, loadFlow(w, from, server, index, o.Spec.Protocol))
			}
		}
	}
	if len(flows) == 0 {
		return nil, nil, fmt.Errorf("traffic from %s to %s: they have no family in common", o.From, o.To)
	}
	return flows, behind, nil
}

// loadFlow is a flow of continuous traffic between the addresses of two pods at an index.
func loadFlow(w *engine.World, from, to workloads.Pod, index int, protocol load.Protocol) effects.Flow {
	f := flowBetween(w, from, to, index, corev1.ProtocolTCP)
	f.Port = effects.LoadPort
	if protocol == load.UDP {
		f.Protocol = corev1.ProtocolUDP
	}
	return f
}
