package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// shortCut is how long the agent's way is cut where that must take seconds.
const shortCut = 5 * time.Second

var _ = register(func(Params) engine.Scenario {
	cut := func(name string, worse effects.Worse) engine.Step {
		return engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error { return outOfReach(ctx, w, worse, shortCut) }}
	}
	return engine.Scenario{
		Name: "bad way to the API server",
		Doc: "Between the agent and the API server packets come 100 ms later each way and one in twenty is lost; then none comes for 5 s, both ways and one way." +
			" Changes made meanwhile hold in the end, and none is missed.",
		Labels:   []engine.Label{Network, Policy},
		Needs:    []workloads.Feature{workloads.OwnWay},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "slow and lossy", Do: func(ctx context.Context, w *engine.World) error {
				worse := effects.Worse{Delay: 100 * time.Millisecond, Loss: 0.05, Seed: w.Rand.Uint64()}
				return effects.AmidWorse(ctx, w, worse, func(ctx context.Context) error {
					return errors.Join(timeSome(ctx, w, worse.String()), timeConvergence(ctx, w, worse.String()))
				})
			}},
			cut("cut", effects.Worse{Loss: 1}),
			cut("half open: the agent is not heard", effects.Worse{Loss: 1, Only: effects.ToAPI}),
			cut("half open: the agent hears nothing", effects.Worse{Loss: 1, Only: effects.FromAPI}),
		},
	}
})

// timeSome times some kinds of changes once, and leaves the stage as it was.
func timeSome(ctx context.Context, w *engine.World, load string) error {
	return errors.Join(timeIsolation(ctx, &timekeeper{w, load}), timeRelabelling(ctx, &timekeeper{w, load}))
}

// caughtUpBound is how long an agent may take until it has caught up once its way is no longer bad: a connection that it takes for alive is
// found to be dead, and others begun, by bounds of tens of seconds.
const caughtUpBound = 3 * time.Minute

// timeConvergence makes a handful of changes of several kinds and records how long it takes until all effects hold.
func timeConvergence(ctx context.Context, w *engine.World, way string) error {
	if err := changeMuch(ctx, w); err != nil {
		return err
	}
	return converged(ctx, w, "convergence", "From when the API acknowledged the last of a handful of changes until all effects were seen to hold.", way)
}

// converged waits until all effects hold, and records how long that took.
func converged(ctx context.Context, w *engine.World, name, doc, way string) error {
	begun := time.Now()
	if err := w.Check(ctx, caughtUpBound, w.Note); err != nil {
		return err
	}
	w.Measure(metrics.Measurement{
		Name: name, Unit: metrics.Seconds, Doc: doc, Labels: []metrics.Label{{Name: "way", Value: way}}, Samples: []metrics.Sample{metrics.Since(begun, time.Since(begun), 0)},
	})
	return nil
}

// outOfReach makes changes while the agent's way to the API server is cut for so long, and wants all of them to hold some time after it is
// whole again, which it records. Meanwhile what was in force stays so.
func outOfReach(ctx context.Context, w *engine.World, worse effects.Worse, lasts time.Duration) error {
	way := fmt.Sprintf("%s for %v", worse, lasts)
	return w.Away(func() error {
		err := effects.AmidWorse(ctx, w, worse, func(ctx context.Context) error {
			whole := time.Now().Add(lasts)
			if err := changeMuch(ctx, w); err != nil {
				return err
			}
			return engine.Pause(ctx, time.Until(whole))
		})
		if err != nil {
			return err
		}
		return converged(ctx, w, "caught up", "From when the agent's way to the API server was whole again until all effects were seen to hold.", way)
	})
}

// changeMuch changes much on the stage: policies come and go, labels pass on, a pod here and one elsewhere have successors. Done again, it changes
// all back or on.
func changeMuch(ctx context.Context, w *engine.World) error {
	isolated, idle := closed(w, 1), hearsIdle(w)
	role, tier, swap := "idle", "back", w.Fleet.AddPolicies
	if w.Fleet.State().Policies().Has(isolated.Key) {
		role, tier = "client", "front"
		swap = func(ctx context.Context, all []workloads.Policy) error {
			return w.Fleet.RemovePolicies(ctx, []workloads.Key{all[0].Key, all[1].Key})
		}
	}
	for _, change := range []func() error{
		func() error { return swap(ctx, []workloads.Policy{isolated, idle}) },
		func() error { return relabel(0, localClient, role)(ctx, w) },
		func() error { return relabelNamespace(0, tier)(ctx, w) },
		func() error { return succeed(ctx, w, localClient) },
		func() error { return succeed(ctx, w, remoteClient) },
	} {
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

// succeed replaces the pod at that place in the order of names of the stage's second namespace by one like it.
func succeed(ctx context.Context, w *engine.World, position int) error {
	old := podsOf(w.Fleet.State(), onStage(w, 1, server).Namespace)[position]
	next, err := w.Plan.Successor(old)
	if err != nil {
		return err
	}
	if err := w.Fleet.RemovePods(ctx, []workloads.Key{old.Key}, workloads.Graceful); err != nil {
		return err
	}
	return w.Fleet.AddPods(ctx, []workloads.Pod{next})
}
