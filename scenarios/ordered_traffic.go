package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"time"

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
	return engine.Scenario{
		Name: "traffic", Doc: "Pods talk as the order says.", Labels: []engine.Label{Slow}, Timeout: lasts + brief,
		Topology: workloads.Topology{RemoteNodes: 0, Namespaces: 1, PodsPerNamespace: o.Pods, Local: -1, DualStack: o.IPv6},
		Steps: []engine.Step{{Name: "talk", Do: func(ctx context.Context, w *engine.World) error {
			if err := w.Converge(ctx); err != nil {
				return err
			}
			pods := w.Plan.Ring(w.Fleet.State())
			var flows []effects.Flow
			for _, from := range pods[1:] {
				for index := range from.IPs {
					flows = append(flows, loadFlow(w, from, pods[0], index, o.Spec.Protocol))
				}
			}
			reports, err := effects.Carry(ctx, w, []effects.Carrying{{Name: "ordered", Flows: flows, Spec: o.Spec}}, func(context.Context) error { return nil })
			if err != nil {
				return err
			}
			if err := tell(reports[0]); err != nil {
				return fmt.Errorf("tell what became of the traffic: %w", err)
			}
			return effects.Within("traffic", o.Budget, reports[0])
		}}},
	}
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

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
