package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// stirs are how often a policy changes and is changed back, a second for each, before routes that are left are told.
const stirs = 8

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.Namespaces, topology.Local, topology.DualStack = 3, 6, true
	lingers := func(w *engine.World) []workloads.Key { return []workloads.Key{onStage(w, 1, localClient).Key} }
	return engine.Scenario{
		Name: "agent away while much goes",
		Doc: "While the agent is stopped, policies, pods with and without their veths, and a namespace go, a label and an address pass on, and a pod and a policy come." +
			" Once it is back, nothing is left of what went, and what came is served.",
		Labels:   []engine.Label{Identity, Policy},
		Needs:    []workloads.Feature{workloads.IPv6, workloads.Restarts},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "fill", Do: fillStage},
			{Name: "away while much goes", Do: func(ctx context.Context, w *engine.World) error {
				peers := []workloads.Pod{onStage(w, 0, localClient), onStage(w, 0, remoteClient)}
				err := amidTalk(ctx, w, onStage(w, 1, localClient), peers, func(ctx context.Context) error { return whileAway(ctx, w, muchGoes) })
				if err != nil {
					return err
				}
				return stirred(ctx, w)
			}},
			{Name: "unplug", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.UnplugPods(ctx, lingers(w)) }},
			{Name: "away while the rest goes", Do: func(ctx context.Context, w *engine.World) error {
				return whileAway(ctx, w, func(ctx context.Context, w *engine.World) error {
					return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
				})
			}},
		},
	}
})

// startBound is how long the agent may take to be back, whatever became of the scenario.
const startBound = time.Minute

// whileAway does it while the agent is stopped, and starts it again whatever becomes of that: the scenarios after this one need it.
func whileAway(ctx context.Context, w *engine.World, do func(context.Context, *engine.World) error) error {
	return away(ctx, w, w.Agent.Stop, w.Agent.Start, do)
}

// away is as whileAway, for ways of one's own to stop and start the agent.
func away(ctx context.Context, w *engine.World, stop, start func(context.Context) error, do func(context.Context, *engine.World) error) error {
	return w.Away(func() (err error) {
		defer func() {
			detached, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), startBound, fmt.Errorf("the agent is not back within %v", startBound))
			defer cancel()
			err = errors.Join(err, start(detached))
		}()
		if err := stop(ctx); err != nil {
			return err
		}
		return do(ctx, w)
	})
}

// stirred changes a policy now and then, and back, until the routes agree with the model, but not for ever. An agent may leave the routes of
// interfaces alone that it does not know for some time after its start, and look at them again only once it has something to do.
func stirred(ctx context.Context, w *engine.World) error {
	for range stirs {
		s := w.Fleet.State()
		got, err := effects.Of(w).Routes().Got(ctx, s)
		if err != nil {
			return err
		}
		if engine.Differing(effects.Routes{}.Want(s), got) == 0 {
			return nil
		}
		was, other := hearsIdle(w), hearsIdle(w)
		other.Spec.Ingress[0].Ports = on(effects.Ports[1])
		for _, p := range []workloads.Policy{other, was} {
			if err := w.Fleet.ChangePolicies(ctx, []workloads.Policy{p}); err != nil {
				return err
			}
			if err := engine.Pause(ctx, time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

// hearsIdle lets the server of the first namespace hear those that are idle.
func hearsIdle(w *engine.World) workloads.Policy {
	p := guard(w)
	p.Name, p.Spec.Ingress[0].From[0].PodSelector = "idle", label("role", "idle")
	return p
}

// fillStage puts policies in force for all that is about to go: two share a pod, one has a pod of its own, one names a namespace's label, and
// one holds for a whole namespace.
func fillStage(ctx context.Context, w *engine.World) error {
	tier, last := guard(w), guard(w)
	tier.Name, tier.Spec = "tier", hears(label("role", "server"), on(effects.Ports[1]), networkingv1.NetworkPolicyPeer{NamespaceSelector: label("tier", "back")})
	last.Namespace, last.Name = onStage(w, 1, server).Namespace, "last"
	last.Spec.Ingress[0].From[0].NamespaceSelector = everything()
	return w.Fleet.AddPolicies(ctx, []workloads.Policy{guard(w), tier, last, closed(w, 2)})
}

// muchGoes is what happens while the agent is away.
func muchGoes(ctx context.Context, w *engine.World) error {
	gone := func(namespace, position int, how workloads.Removal) error {
		return w.Fleet.RemovePods(ctx, []workloads.Key{onStage(w, namespace, position).Key}, how)
	}
	idle := func(w *engine.World) workloads.Pod {
		pod := onStage(w, 0, localClient)
		pod.Labels = map[string]string{"role": "idle"}
		return pod
	}
	for _, step := range []func() error{
		func() error { return w.Fleet.RemovePolicies(ctx, []workloads.Key{guard(w).Key}) },
		func() error { return gone(1, server, workloads.Forced) }, // the last that a policy was for
		func() error { return gone(1, localClient, workloads.Lingering) },
		func() error { return gone(1, remoteClient, workloads.Graceful) },
		func() error { return w.Fleet.RemoveNamespaces(ctx, []string{onStage(w, 2, server).Namespace}) },
		func() error { return relabelNamespace(1, "front")(ctx, w) },
		func() error { return gone(0, localClient, workloads.Graceful) },
		func() error { return inherit(idle)(ctx, w) },
		func() error { return w.Fleet.AddPolicies(ctx, []workloads.Policy{hearsIdle(w)}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
