package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

const (
	// awayFor is how long the agent is away when it is not just restarted.
	awayFor = 3 * time.Second
	// beforeAndAfter is how long traffic goes on before the agent is touched, and after it is back.
	beforeAndAfter = time.Second
)

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.DualStack = true
	amid := func(name string, do func(context.Context, *engine.World) error) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			return unharmed(ctx, w, name, func(ctx context.Context) error { return do(ctx, w) })
		}}
	}
	wait := func(ctx context.Context, _ *engine.World) error { return pause(ctx, awayFor) }
	return engine.Scenario{
		Name: "hitless restart",
		Doc: "Established connections talk and new ones are begun, by each protocol, family and direction that a policy allows, while the agent is restarted, is away and" +
			" is frozen. No message is lost, and no connection fails.",
		Labels:   []engine.Label{Traffic, Policy},
		Needs:    []workloads.Feature{workloads.Restarts},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{loadGuard(w)})
			}},
			amid("restarted", func(ctx context.Context, w *engine.World) error {
				return whileAway(ctx, w, func(context.Context, *engine.World) error { return nil })
			}),
			amid("away", func(ctx context.Context, w *engine.World) error { return whileAway(ctx, w, wait) }),
			amid("frozen", func(ctx context.Context, w *engine.World) error {
				return w.Away(func() error { return w.Freeze(func() error { return wait(ctx, w) }) })
			}),
		},
	}
})

// loadGuard lets the server of the stage's first namespace hear the clients there alone, on all ports.
func loadGuard(w *engine.World) workloads.Policy {
	p := guard(w)
	p.Spec.Ingress[0].Ports = nil
	return p
}

// unharmed makes traffic to and from the server of the stage's first namespace, does it amid that, and wants nothing to be lost.
func unharmed(ctx context.Context, w *engine.World, name string, do func(context.Context) error) error {
	carrying := talkOnStage(w, name)
	reports, err := effects.Carry(ctx, w, carrying, func(ctx context.Context) error {
		return errors.Join(pause(ctx, beforeAndAfter), do(ctx), pause(ctx, beforeAndAfter))
	})
	for i := 0; i < len(reports) && err == nil; i++ {
		err = withoutLoss(carrying[i].Name, reports[i])
	}
	return err
}

// talkOnStage is established connections by TCP, UDP and HTTP, and new ones by TCP, between the server of the stage's first namespace and the
// clients there, here and on another node.
func talkOnStage(w *engine.World, name string) []effects.Carrying {
	flows := func(p load.Protocol) (all []effects.Flow) {
		s, here, far := onStage(w, 0, server), onStage(w, 0, localClient), onStage(w, 0, remoteClient)
		for index := range s.IPs {
			all = append(all, loadFlow(w, here, s, index, p), loadFlow(w, far, s, index, p), loadFlow(w, s, here, index, p))
		}
		return all
	}
	var carrying []effects.Carrying
	for i, p := range []load.Protocol{load.TCP, load.UDP, load.HTTP} {
		carrying = append(carrying, effects.Carrying{
			Name: name + ", established", Flows: onPort(flows(p), i), Spec: load.Spec{Protocol: p, Connections: 12, Rate: 600},
		})
	}
	return append(carrying, effects.Carrying{
		Name: name + ", new", Flows: onPort(flows(load.TCP), len(carrying)), Spec: load.Spec{Protocol: load.TCP, Connections: 2000, ConnectRate: 100, Idle: true},
	})
}

// onPort gives the flows of several kinds of traffic a port each, for each has its servers.
func onPort(flows []effects.Flow, kind int) []effects.Flow {
	for i := range flows {
		flows[i].Port += uint16(kind)
	}
	return flows
}

// withoutLoss wants no message to be lost and no connection to fail. Traffic that was never made says nothing.
func withoutLoss(name string, r load.Report) error {
	if r.Count.There.Arrived == 0 {
		return fmt.Errorf("%s by %s: no message arrived at all: %w", name, r.Spec.Protocol, engine.ErrBroken)
	}
	return effects.Within(fmt.Sprintf("%s by %s", name, r.Spec.Protocol), load.Budget{Lost: new(uint64), Failed: new(int)}, r)
}
