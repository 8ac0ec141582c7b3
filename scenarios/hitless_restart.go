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
	wait := func(ctx context.Context, _ *engine.World) error { return engine.Pause(ctx, awayFor) }
	return hitless(engine.Scenario{
		Name: "hitless restart",
		Doc: "Established connections talk and new ones are begun, by each protocol, family and direction that a policy allows, while the agent is restarted, is killed, is" +
			" away and is frozen. No message is lost, no connection fails, and nothing passes that the policy forbids.",
		Labels: []engine.Label{Traffic, Policy},
		Needs:  []workloads.Feature{workloads.Restarts},
		Steps: []engine.Step{
			amid("restarted", 0, func(ctx context.Context, w *engine.World) error {
				return away(ctx, w, w.Agent.End, w.Agent.Start, func(context.Context, *engine.World) error { return nil })
			}),
			amid("killed", 0, func(ctx context.Context, w *engine.World) error {
				return whileAway(ctx, w, func(context.Context, *engine.World) error { return nil })
			}),
			amid("away", awayFor, func(ctx context.Context, w *engine.World) error { return whileAway(ctx, w, wait) }),
			amid("frozen", awayFor, func(ctx context.Context, w *engine.World) error {
				return w.Away(func() error { return w.Freeze(func() error { return wait(ctx, w) }) })
			}),
		},
	})
})

// hitless puts the stage, with both families, and the policy that guards its first server under a scenario's steps.
func hitless(sc engine.Scenario) engine.Scenario {
	sc.Topology, sc.Arrange = stage, arrangeStage
	sc.Topology.DualStack = true
	if sc.Timeout == 0 {
		sc.Timeout = brief
	}
	sc.Steps = append([]engine.Step{{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{loadGuard(w)})
	}}}, sc.Steps...)
	return sc
}

// amid is a step that does something to the agent, which takes about so long, and wants no traffic to be harmed by it.
func amid(name string, lasts time.Duration, do func(context.Context, *engine.World) error) engine.Step {
	return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
		return guardedUnharmed(ctx, w, name, lasts, func(ctx context.Context) error { return do(ctx, w) })
	}}
}

// guardedUnharmed is as unharmed, with traffic beside it that the guard forbids: none of it may arrive.
func guardedUnharmed(ctx context.Context, w *engine.World, name string, lasts time.Duration, do func(context.Context) error) error {
	return bear(ctx, w, append(talkOnStage(w, name, lasts), forbiddenOnStage(w, name, lasts)...), do)
}

// loadGuard lets the server of the stage's first namespace hear the clients there alone, on all ports.
func loadGuard(w *engine.World) workloads.Policy {
	p := guard(w)
	p.Spec.Ingress[0].Ports = nil
	return p
}

// unharmed makes traffic to and from the server of the stage's first namespace, does it amid that, and wants nothing to be lost.
func unharmed(ctx context.Context, w *engine.World, name string, do func(context.Context) error) error {
	return bear(ctx, w, talkOnStage(w, name, longestStep), do)
}

// bear makes traffic, does it amid that, and wants nothing to be lost, nor anything to arrive that is forbidden.
func bear(ctx context.Context, w *engine.World, carrying []effects.Carrying, do func(context.Context) error) error {
	reports, err := effects.Carry(ctx, w, carrying, func(ctx context.Context) error {
		return errors.Join(engine.Pause(ctx, beforeAndAfter), do(ctx), engine.Pause(ctx, beforeAndAfter))
	})
	for i := 0; i < len(reports) && err == nil; i++ {
		if c := carrying[i]; c.Forbidden {
			err = withoutLeak(c.Name, reports[i])
		} else {
			err = withoutLoss(w, c.Name, reports[i])
		}
	}
	return err
}

const (
	newEachSecond = 100 // connections that are begun, and first datagrams
	// longestStep is what a step takes, besides the time that it waits, on a busy machine.
	longestStep = 20 * time.Second
)

// newOnes is how many connections are begun in a step that lasts so long.
func newOnes(lasts time.Duration) int { return int((lasts + longestStep).Seconds() * newEachSecond) }

// talkOnStage is established connections by TCP, UDP and HTTP, and new ones by TCP and UDP, between the server of the stage's first namespace and
// the clients there, here and on another node. New ones of UDP are flows of one datagram.
func talkOnStage(w *engine.World, name string, lasts time.Duration) []effects.Carrying {
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
	for i, p := range []load.Protocol{load.TCP, load.UDP} {
		carrying = append(carrying, effects.Carrying{Name: name + ", new", Flows: onPort(flows(p), 3+i), Spec: anew(p, lasts)})
	}
	return carrying
}

// anew is traffic of which each message begins a connection.
func anew(p load.Protocol, lasts time.Duration) load.Spec {
	if p == load.UDP {
		return load.Spec{Protocol: p, Connections: newOnes(lasts), Rate: newEachSecond}
	}
	return load.Spec{Protocol: p, Connections: newOnes(lasts), ConnectRate: newEachSecond, Idle: true}
}

// forbiddenOnStage is new connections to the server from the clients of the other namespace, which the guard does not let in.
func forbiddenOnStage(w *engine.World, name string, lasts time.Duration) (carrying []effects.Carrying) {
	s := onStage(w, 0, server)
	for i, p := range []load.Protocol{load.TCP, load.UDP} {
		var flows []effects.Flow
		for index := range s.IPs {
			flows = append(flows, loadFlow(w, onStage(w, 1, localClient), s, index, p), loadFlow(w, onStage(w, 1, remoteClient), s, index, p))
		}
		carrying = append(carrying, effects.Carrying{Name: name + ", forbidden", Flows: onPort(flows, 5+i), Spec: anew(p, lasts), Forbidden: true})
	}
	return carrying
}

// onPort gives the flows of several kinds of traffic a port each, for each has its servers.
func onPort(flows []effects.Flow, kind int) []effects.Flow {
	for i := range flows {
		flows[i].Port += uint16(kind)
	}
	return flows
}

// withoutLoss wants no message to be lost and no connection to fail. Traffic that was never made says nothing.
func withoutLoss(w *engine.World, name string, r load.Report) error {
	if r.Count.There.Arrived == 0 {
		return fmt.Errorf("%s by %s: no message arrived at all: %w", name, r.Spec.Protocol, engine.ErrBroken)
	}
	return effects.Unharmed(w, fmt.Sprintf("%s by %s", name, r.Spec.Protocol), r)
}

// withoutLeak wants nothing of forbidden traffic to arrive. Traffic that was never made says nothing.
func withoutLeak(name string, r load.Report) error {
	if r.Count.Sent == 0 && len(r.Connections) == 0 {
		return fmt.Errorf("%s by %s: nothing was sent at all", name, r.Spec.Protocol)
	}
	if leaked := effects.Leaked(r); leaked > 0 {
		return fmt.Errorf("%s by %s: %d came through: %w", name, r.Spec.Protocol, leaked, engine.ErrBroken)
	}
	return nil
}
