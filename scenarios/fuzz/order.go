package fuzz

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"

	"github.com/nodefv/nodefv/workloads"
)

// Order is what a run of the fuzzer shall do: draw operations from the run's seed, or replay a failure.
type Order struct {
	Wishes
	Ops       int           `json:"ops"`              // end after so many operations; 0: no such end
	For       time.Duration `json:"for_ns,omitempty"` // end after that time; 0: no such end
	ShrinkFor time.Duration `json:"shrink_for_ns"`    // how long a failure may be shrunk; 0: not at all
	Plant     string        `json:"plant,omitempty"`
	Target    Target        `json:"target"`
	Replay    *Repro        `json:"replay,omitempty"` // repeat this instead
	Times     int           `json:"times,omitempty"`  // how often
}

// restTime is what a run takes besides its operations and its shrinking.
const restTime = 10 * time.Minute

// Scenario returns the scenario that carries the order out.
func (o Order) Scenario(seed uint64, means Means) (engine.Scenario, error) {
	f := &fuzzing{Order: o, seed: seed, run: run{means: means}}
	plant := o.Plant
	if o.Replay != nil {
		plant = o.Replay.Plant
	}
	if plant != "" {
		p, err := FindPlant(plant)
		if err != nil {
			return engine.Scenario{}, err
		}
		f.plant = &p
	}
	sc := engine.Scenario{Labels: []engine.Label{"fuzz"}, Topology: smallest}
	if o.Replay != nil {
		sc.Name, sc.Doc = "replay", "Operations that failed before, on an empty cluster each time."
		sc.Timeout = restTime + time.Duration(o.Times)*(time.Minute+time.Duration(count(o.Replay.Batches))*time.Second)
		sc.Steps = []engine.Step{emptied, {Name: "replay", Do: f.replay}}
		return sc, nil
	}
	sc.Name, sc.Doc, sc.Explain = "fuzz", "Operations drawn from the seed, everything compared after each batch of ten.", f.shrink
	sc.Timeout = restTime + o.For + o.ShrinkFor
	if o.For == 0 {
		sc.Timeout += time.Duration(o.Ops) * time.Second
	}
	sc.Steps = []engine.Step{emptied, {Name: "fuzz", Do: f.fuzz}}
	return sc, nil
}

// fuzzing is one run of an order.
type fuzzing struct {
	Order
	run
	seed    uint64
	history [][]Op
	repro   Repro // of the failure, if there was one
}

// fuzz draws operations until one of the ends comes, or until something does not hold.
func (f *fuzzing) fuzz(ctx context.Context, w *engine.World) error {
	f.world = w
	if f.Known {
		effects.JudgeAll(w, "nothing is excused: operations were drawn that are known to break the agent")
	}
	f.Admin, f.Cluster = w.SUT.HasFeature(workloads.AdminPolicies), w.SUT.HasFeature(workloads.ClusterPolicies)
	f.begin()
	gen, begun, made := NewGenerator(f.seed, f.Wishes), time.Now(), 0
	for (f.Ops == 0 || made < f.Ops) && (f.For == 0 || time.Since(begun) < f.For) {
		n := Batch
		if f.Ops > 0 {
			n = min(n, f.Ops-made)
		}
		ops, found := gen.Batch(n), []report.Finding(nil)
		f.history = append(f.history, ops)
		note := func(one report.Finding) {
			found = append(found, one)
			w.Note(one)
		}
		err := f.mortal(ctx, note, func(ctx context.Context) error { return f.batch(ctx, ops, engine.DefaultBound, note) })
		made += len(ops)
		if err != nil {
			return f.failed(ctx, err, failureOf(found), made)
		}
	}
	took := time.Since(begun)
	f.means.Tell("seed %d: %d operations in %v, %.1f a second, everything compared after each %d; the slowest comparison took %v", f.seed, made,
		took.Round(100*time.Millisecond), float64(made)/took.Seconds(), Batch, f.slowest.Round(time.Millisecond))
	return nil
}

// failed writes down what repeats the failure, as it is before it is shrunk. An end that the user wants is none.
func (f *fuzzing) failed(ctx context.Context, err error, failure Failure, made int) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, engine.ErrDied) {
		f.means.Tell("seed %d: ended after %d operations, none of which failed", f.seed, made)
		return err
	}
	if !failure.known() {
		failure.Error = err.Error()
	}
	f.repro = Repro{
		Version: ReproVersion, Seed: f.seed, Target: f.Target, Plant: f.Plant, Failure: failure, Batches: f.history,
		Shrunk: Shrunk{From: made, To: made, Tried: 1, Failed: 1, Note: "not shrunk"},
	}
	f.means.Tell("seed %d: failed after %d operations: %v", f.seed, made, failure)
	return errors.Join(err, f.repro.Write(f.means.Out))
}
