package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// forgotIn is how long the steps wait: less than the 30 s after which the kernel itself forgets what is least remembered, an exchange by UDP.
const forgotIn = 15 * time.Second

// ways are how a pod's addresses go.
var ways = []struct {
	name string
	do   func(context.Context, *engine.World, workloads.Pod) error
}{
	{"object alone", func(ctx context.Context, w *engine.World, p workloads.Pod) error {
		return w.Fleet.RemovePods(ctx, []workloads.Key{p.Key}, workloads.Lingering)
	}},
	{"addresses cleared", func(ctx context.Context, w *engine.World, p workloads.Pod) error {
		return w.Fleet.ClearIPs(ctx, []workloads.Key{p.Key})
	}},
	{"one address cleared", func(ctx context.Context, w *engine.World, p workloads.Pod) error {
		p.IPs = p.IPs[1:]
		return w.Fleet.ReaddressPods(ctx, []workloads.Pod{p})
	}},
	{"object before veth", func(ctx context.Context, w *engine.World, p workloads.Pod) error {
		return w.Fleet.RemovePods(ctx, []workloads.Key{p.Key}, workloads.Graceful)
	}},
	{"veth before object", func(ctx context.Context, w *engine.World, p workloads.Pod) error {
		return w.Fleet.RemovePods(ctx, []workloads.Key{p.Key}, workloads.Forced)
	}},
}

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.DualStack = true
	sc := engine.Scenario{
		Name: "connections of pods that go",
		Doc: "A pod with established TCP and UDP flows, to and from local and remote peers, loses its addresses in each of five ways: the kernel tracks none of its" +
			" connections any more.",
		Labels:   []engine.Label{Identity},
		Needs:    []workloads.Feature{workloads.IPv6, workloads.ForgetsConnections},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
	}
	for _, way := range ways {
		sc.Steps = append(sc.Steps, engine.Step{Name: way.name, Patience: forgotIn, Do: func(ctx context.Context, w *engine.World) error {
			old := onStage(w, 0, localClient)
			pod, err := w.Plan.Successor(old)
			if err != nil {
				return err
			}
			if err := w.Fleet.AddPods(ctx, []workloads.Pod{pod}); err != nil {
				return err
			}
			if err := w.Converge(ctx); err != nil {
				return err
			}
			peers := []workloads.Pod{onStage(w, 0, server), onStage(w, 1, remoteClient)}
			return amidTalk(ctx, w, pod, peers, func(ctx context.Context) error { return way.do(ctx, w, pod) })
		}})
	}
	return sc
})

// amidTalk does it while a pod has established flows of each family, by each protocol, to and from peers. Where it can be seen, the kernel must
// track them.
func amidTalk(ctx context.Context, w *engine.World, pod workloads.Pod, peers []workloads.Pod, do func(context.Context) error) error {
	var flows []effects.Flow
	for _, peer := range peers {
		for i := range pod.IPs {
			for _, protocol := range effects.Protocols {
				flows = append(flows, flowBetween(w, pod, peer, i, protocol), flowBetween(w, peer, pod, i, protocol))
			}
		}
	}
	return effects.Talk(ctx, w, flows, func(ctx context.Context) error {
		tracks := effects.Of(w).Tracked
		if tracks == nil {
			return do(ctx)
		}
		tracked, err := tracks(func(netip.Addr) bool { return true })
		if err != nil {
			return err
		}
		for _, ip := range pod.IPs {
			if len(tracked[ip]) == 0 {
				return fmt.Errorf("the kernel tracks no connection of %s, which talks: what becomes of them can't be seen", ip)
			}
		}
		return do(ctx)
	})
}
