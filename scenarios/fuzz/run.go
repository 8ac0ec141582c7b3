package fuzz

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
)

// Means are what a run needs beyond the world of a scenario.
type Means struct {
	Saboteur faults.Saboteur
	Mourner  Mourner                       // nil: the agent's end is that of the run
	Out      string                        // folder for what repeats a failure
	Tell     func(format string, a ...any) // one line to the user
}

// Mourner lets a run go on when the agent dies.
type Mourner interface {
	// Guard returns a context that ends with engine.ErrDied when the agent dies, which then ends nothing else, and what ends the guard.
	Guard(context.Context) (context.Context, func())
	// Death returns why the agent died, once another has been started. From then on that it dies is no news.
	Death(context.Context) (string, error)
}

// run makes operations on a live environment and compares.
type run struct {
	means Means
	world *engine.World
	plant *Plant // nil: none

	model   *Model
	planted func(context.Context, Look) (bool, error)
	slowest time.Duration // comparison that agreed
	newborn bool          // the agent has died, and its successor was not yet seen to agree
}

// begin takes the cluster for empty.
func (r *run) begin() {
	r.model = NewModel(r.world.Fleet.State().LocalNode)
	if r.plant != nil {
		r.planted = r.plant.Begin()
	}
}

func (r *run) actor() Actor {
	return Actor{Fleet: r.world.Fleet, Restart: func(ctx context.Context) error {
		return r.world.Away(func() error { return r.means.Saboteur.Restart(ctx, faults.Agent) })
	}}
}

// mortal does what the agent may die of. That it died is told to note and makes the error wrap engine.ErrBroken.
func (r *run) mortal(ctx context.Context, note func(report.Finding), do func(context.Context) error) error {
	if r.means.Mourner == nil {
		return do(ctx)
	}
	guarded, release := r.means.Mourner.Guard(ctx)
	defer release()
	err := do(guarded)
	if ctx.Err() != nil || !errors.Is(context.Cause(guarded), engine.ErrDied) {
		return err
	}
	why, failed := r.means.Mourner.Death(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	r.newborn = true
	note(report.Finding{Kind: report.Life, Name: "life of the SUT", Error: why})
	return fmt.Errorf("%s: %w", why, engine.ErrBroken)
}

// batch makes operations and compares every effect. The error wraps engine.ErrBroken if they do not agree within patience.
func (r *run) batch(ctx context.Context, ops []Op, patience time.Duration, note func(report.Finding)) error {
	if err := r.model.perform(ctx, r.actor(), ops); err != nil {
		return err
	}
	begun := time.Now()
	if err := r.world.Check(ctx, patience, note); err != nil {
		return err
	}
	r.slowest = max(r.slowest, time.Since(begun))
	if r.planted == nil {
		return nil
	}
	broke, err := r.planted(ctx, Look{World: r.world, Saboteur: r.means.Saboteur, Now: r.model.State})
	if err != nil {
		return fmt.Errorf("plant %q: %w", r.plant.Name, err)
	}
	if broke {
		if err := r.world.Check(ctx, patience, note); err != nil {
			return err
		}
		return r.world.Drain(note)
	}
	return nil
}

// perform advances the model and a fleet by operations. That both are then the same is what the whole comparison rests on.
func (m *Model) perform(ctx context.Context, a Actor, ops []Op) error {
	for _, op := range ops {
		if do := m.Apply(op); do != nil {
			if err := do(ctx, a); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
	}
	if !m.State.Equal(a.Fleet.State()) {
		return errors.New("the fleet's model differs from the fuzzer's: one of them is wrong")
	}
	return nil
}

// trial makes all batches on an empty cluster and returns what did not hold, or nil. Findings go to note as well. A cluster that can't be
// emptied is an error, and what of it is the agent's fault is a finding.
func (r *run) trial(ctx context.Context, batches [][]Op, patience time.Duration, note func(report.Finding)) (*Failure, error) {
	if err := r.mortal(ctx, note, func(ctx context.Context) error { return r.reset(ctx, note) }); err != nil {
		return nil, err
	}
	r.begin()
	var found []report.Finding
	tell := func(f report.Finding) {
		found = append(found, f)
		note(f)
	}
	err := r.mortal(ctx, tell, func(ctx context.Context) error {
		for _, ops := range batches {
			if err := r.batch(ctx, ops, patience, tell); err != nil {
				return err
			}
		}
		return r.world.Drain(tell)
	})
	if errors.Is(err, engine.ErrBroken) {
		failure := failureOf(found)
		return &failure, nil
	}
	return nil, err
}

func ignore(report.Finding) {}

// resetPatience is how long an emptied cluster may take to agree before the agent is started anew.
const resetPatience = 5 * time.Second

// reset empties the cluster. What a failure left in the agent or in the kernel, a new agent is to mend; if it does not, that is told to note, and
// nothing can be learnt here any more.
func (r *run) reset(ctx context.Context, note func(report.Finding)) error {
	if err := r.world.Fleet.Clear(ctx); err != nil {
		return err
	}
	if err := r.world.Drain(ignore); err != nil && !errors.Is(err, engine.ErrBroken) { // what packets met until now is of the batches before
		return err
	}
	patience := resetPatience
	if r.newborn {
		patience = engine.DefaultBound
	}
	err := r.world.Check(ctx, patience, ignore)
	r.newborn = r.newborn && err != nil
	if !errors.Is(err, engine.ErrBroken) {
		return err
	}
	if failed := r.actor().Restart(ctx); failed != nil {
		return fmt.Errorf("restart the agent, since the emptied cluster does not agree (%v): %w", err, failed) // it is the restart that failed
	}
	if err := r.world.Check(ctx, engine.DefaultBound, note); err != nil {
		return fmt.Errorf("the cluster is emptied and the agent started anew: %w", err)
	}
	return nil
}

// Scenario returns one that makes batches of operations on an empty cluster and compares after each: what a failure becomes once it is
// to be kept. Operations that restart the agent are an error in it.
func Scenario(name, doc string, batches [][]Op) engine.Scenario {
	var m *Model
	steps := []engine.Step{emptied}
	for i, ops := range batches {
		steps = append(steps, engine.Step{Name: fmt.Sprintf("batch %d", i+1), Do: func(ctx context.Context, w *engine.World) error {
			if i == 0 {
				m = NewModel(w.Fleet.State().LocalNode)
			}
			return m.perform(ctx, Actor{Fleet: w.Fleet, Restart: func(context.Context) error { return errors.New("no scenario restarts the agent") }}, ops)
		}})
	}
	return engine.Scenario{Name: name, Doc: doc, Labels: []engine.Label{"fuzz"}, Timeout: 10 * time.Minute, Topology: smallest, Steps: steps}
}

// smallest is the least that can be deployed; emptied removes it.
var (
	smallest = workloads.Topology{Namespaces: 1, PodsPerNamespace: 1, Local: -1}
	emptied  = engine.Step{Name: "empty", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.Clear(ctx) }}
)
