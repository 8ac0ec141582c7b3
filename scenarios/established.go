package scenarios

import (
	"context"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name: "established connections",
		Doc: "Whether TCP connections and UDP exchanges that are established go on when a change forbids them, into and out of a pod that policies hold for:" +
			" a table without a verdict, for the specification leaves it open.",
		Labels:   []engine.Label{Clock, Slow},
		Timeout:  30 * time.Minute,
		Topology: stage,
		Arrange:  arrangeStage,
		Steps: []engine.Step{{Name: "forbid", Repeat: or(p.Cycles, 3), Do: func(ctx context.Context, w *engine.World) error {
			return forbidAll(ctx, w, effects.Outlive)
		}}},
	}
})

// forbidder forbids established flows between the server of the stage's first namespace, which the policies are for, and a client, its peer.
type forbidder struct {
	*engine.World
	out     bool // the server sends; else it receives
	outlive func(context.Context, *engine.World, effects.Forbidding) error
}

// forbidAll forbids flows by each kind of change once, and leaves the stage as it was.
func forbidAll(ctx context.Context, w *engine.World, outlive func(context.Context, *engine.World, effects.Forbidding) error) error {
	for _, out := range []bool{false, true} {
		f := &forbidder{w, out, outlive}
		for _, forbid := range []func(context.Context) error{f.byIsolation, f.byRemoval, f.byLabel, f.byDeath} {
			if err := forbid(ctx); err != nil {
				return err
			}
			if err := w.Fleet.RemovePolicies(ctx, w.Fleet.State().Policies().Keys()); err != nil {
				return err
			}
		}
	}
	return nil
}

// forbid makes a change that forbids the flows by both protocols between the server and a peer.
func (f *forbidder) forbid(ctx context.Context, operation string, peer workloads.Pod, do func(context.Context) error) error {
	from, to, direction := peer, onStage(f.World, 0, server), "in"
	if f.out {
		from, to, direction = to, from, "out"
	}
	var flows []effects.Flow
	for _, protocol := range effects.Protocols {
		flows = append(flows, flowBetween(f.World, from, to, 0, protocol))
	}
	return f.outlive(ctx, f.World, effects.Forbidding{Operation: operation, Direction: direction, Flows: flows, Do: do})
}

// isolation is a policy that isolates the server in the one direction.
func (f *forbidder) isolation() workloads.Policy {
	p := guard(f.World)
	p.Name, p.Spec.Ingress = "isolation", nil
	if f.out {
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	}
	return p
}

// permission is a policy that lets the server talk with clients alone.
func (f *forbidder) permission() workloads.Policy {
	p, clients := f.isolation(), []networkingv1.NetworkPolicyPeer{{PodSelector: label("role", "client")}}
	p.Name = "permission"
	if f.out {
		p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: clients}}
	} else {
		p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: clients}}
	}
	return p
}

// byIsolation adds a policy that isolates an open server.
func (f *forbidder) byIsolation(ctx context.Context) error {
	return f.forbid(ctx, "policy added", onStage(f.World, 0, localClient), func(ctx context.Context) error {
		return f.Fleet.AddPolicies(ctx, []workloads.Policy{f.isolation()})
	})
}

// byRemoval removes the policy that permits the flows of an isolated server.
func (f *forbidder) byRemoval(ctx context.Context) error {
	if err := f.Fleet.AddPolicies(ctx, []workloads.Policy{f.isolation(), f.permission()}); err != nil {
		return err
	}
	return f.forbid(ctx, "policy removed", onStage(f.World, 0, localClient), func(ctx context.Context) error {
		return f.Fleet.RemovePolicies(ctx, []workloads.Key{f.permission().Key})
	})
}

// byLabel makes the peer a client no more.
func (f *forbidder) byLabel(ctx context.Context) error {
	if err := f.Fleet.AddPolicies(ctx, []workloads.Policy{f.permission()}); err != nil {
		return err
	}
	err := f.forbid(ctx, "label flipped", onStage(f.World, 0, localClient), func(ctx context.Context) error { return relabel(0, localClient, "idle")(ctx, f.World) })
	if err != nil {
		return err
	}
	return relabel(0, localClient, "client")(ctx, f.World)
}

// byDeath deletes a peer, here and on another node, from the API alone.
func (f *forbidder) byDeath(ctx context.Context) error {
	if err := f.Fleet.AddPolicies(ctx, []workloads.Policy{f.permission()}); err != nil {
		return err
	}
	for _, kind := range []struct {
		name     string
		position int
	}{{"peer gone", localClient}, {"remote peer gone", remoteClient}} {
		old := onStage(f.World, 0, kind.position)
		pod, err := f.Plan.Successor(old)
		if err != nil {
			return err
		}
		if err := f.Fleet.AddPods(ctx, []workloads.Pod{pod}); err != nil {
			return err
		}
		gone := []workloads.Key{pod.Key}
		if err := f.forbid(ctx, kind.name, pod, func(ctx context.Context) error { return f.Fleet.RemovePods(ctx, gone, workloads.Lingering) }); err != nil {
			return err
		}
		if err := f.Fleet.UnplugPods(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}
