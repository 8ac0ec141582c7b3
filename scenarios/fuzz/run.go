package fuzz

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
)

// Means are what a run needs beyond the world of a scenario.
type Means struct {
	Saboteur faults.Saboteur
	Out      string                        // folder for what repeats a failure
	Tell     func(format string, a ...any) // one line to the user
}

// run makes operations on a live environment and compares.
type run struct {
	means Means
	world *engine.World
	plant *Plant // nil: none

	model   *Model
	planted func(context.Context, Look) (bool, error)
	slowest time.Duration // comparison that agreed
}

// begin takes the cluster for empty.
func (r *run) begin() {
	r.model = NewModel(r.world.Fleet.State().LocalNode)
	if r.plant != nil {
		r.planted = r.plant.Begin()
	}
}

func (r *run) actor() Actor {
	return Actor{Fleet: r.world.Fleet, Restart: func(ctx context.Context) error { return r.means.Saboteur.Restart(ctx, "agent") }}
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
		return r.world.Settle(note)
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
	if !reflect.DeepEqual(m.State, a.Fleet.State()) {
		return errors.New("the fleet's model differs from the fuzzer's: one of them is wrong")
	}
	return nil
}

// trial makes all batches on an empty cluster and returns what did not hold, or nil. Findings go to note as well.
func (r *run) trial(ctx context.Context, batches [][]Op, patience time.Duration, note func(report.Finding)) (*Failure, error) {
	if err := r.reset(ctx); err != nil {
		return nil, err
	}
	r.begin()
	for i, ops := range batches {
		failure := Failure{}
		tell := func(f report.Finding) { failure.add(f); note(f) }
		err := r.batch(ctx, ops, patience, tell)
		if err == nil && i == len(batches)-1 {
			err = r.world.Settle(tell)
		}
		if errors.Is(err, engine.ErrBroken) {
			return &failure, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// add keeps the first finding that is broken.
func (f *Failure) add(found report.Finding) {
	if f.Probe == "" && found.Differing > 0 {
		f.Probe, f.Differing, f.Differences = found.Name, found.Differing, found.Differences
	}
}

func (f Failure) String() string {
	if len(f.Differences) == 0 {
		return f.Error
	}
	d := f.Differences[0]
	return fmt.Sprintf("%s: %d facts differ, first: %s: want %q, got %q", f.Probe, f.Differing, d.Fact, d.Want, d.Got)
}

// resetPatience is how long an emptied cluster may take to agree before the agent is started anew.
const resetPatience = 5 * time.Second

// reset empties the cluster. What a failure left in the agent or in the kernel, a new agent is to mend; if it does not,
// nothing can be learnt here any more.
func (r *run) reset(ctx context.Context) error {
	if err := r.world.Fleet.Clear(ctx); err != nil {
		return err
	}
	ignore := func(report.Finding) {}
	if err := r.world.Settle(ignore); err != nil && !errors.Is(err, engine.ErrBroken) { // what packets met until now is of the batches before
		return err
	}
	err := r.world.Check(ctx, resetPatience, ignore)
	if !errors.Is(err, engine.ErrBroken) {
		return err
	}
	if failed := r.actor().Restart(ctx); failed != nil {
		return fmt.Errorf("restart the agent, since the emptied cluster does not agree (%w): %w", err, failed)
	}
	if err := r.world.Check(ctx, engine.DefaultBound, ignore); err != nil {
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
	return engine.Scenario{Name: name, Doc: doc, Labels: []string{"fuzz"}, Timeout: 10 * time.Minute, Topology: smallest, Steps: steps}
}

// smallest is the least that can be deployed; emptied removes it.
var (
	smallest = workloads.Topology{Namespaces: 1, PodsPerNamespace: 1, Local: -1}
	emptied  = engine.Step{Name: "empty", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.Clear(ctx) }}
)
