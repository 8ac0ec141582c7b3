package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// Moves says how many facts of each effect a step moves: what becomes true, what ceases to be, and what changes its value.
// It is the scenario's own prediction beside the model's, so that a step without effect can't pass for one that has it.
type Moves struct{ Gauges, Routes, Connections int }

// watched are the effects that a vigil looks at. Its observations of the SUT's gauges, of routes and of connections go on
// while the step works.
var watched = []Probe{Gauges{}, Routes{}, Connections{}}

// vigil watches, from before a step to after it, all facts that are true before, and keeps what deviated from them.
type vigil struct {
	before workloads.State
	begun  time.Time
	cancel context.CancelFunc
	done   chan struct{}

	// Of the watching goroutine alone, until done is closed.
	failed error
	astray map[Probe]Facts // fact to the first value that was not that from before
}

// keepVigil begins to watch; the facts that the model wants now have just been seen to hold.
func (s *run) keepVigil(ctx context.Context) *vigil {
	ctx, cancel := context.WithCancel(ctx)
	v := &vigil{before: s.World.Fleet.State(), begun: time.Now(), cancel: cancel, done: make(chan struct{}), astray: map[Probe]Facts{}}
	go func() {
		defer close(v.done)
		doubtful := map[Probe]Facts{}
		for ctx.Err() == nil {
			v.round(ctx, s.World, doubtful)
		}
	}()
	return v
}

// end ends the watch and waits until it has ended.
func (v *vigil) end() {
	v.cancel()
	<-v.done
}

// round looks at everything once. A connection that is made or a route that leads elsewhere is certain at first sight; what is
// missing must be missing twice in a row, since a busy machine may lose a packet's race against the clock.
func (v *vigil) round(ctx context.Context, w *World, doubtful map[Probe]Facts) {
	flows := sampleFlows(v.before)
	for _, p := range watched {
		var got Facts
		var err error
		if _, ok := p.(Connections); ok {
			got, err = connect(ctx, w, flows)
		} else {
			got, err = p.Got(ctx, w)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			v.failed = fmt.Errorf("%s: %w", p.Name(), err)
			continue
		}
		v.compare(p, got, doubtful)
	}
}

func (v *vigil) compare(p Probe, got Facts, doubtful map[Probe]Facts) {
	if v.astray[p] == nil {
		v.astray[p] = Facts{}
	}
	doubts := Facts{}
	for fact, was := range p.Want(v.before) {
		is := got[fact]
		if is == was {
			continue
		}
		_, again := doubtful[p][fact]
		missing := is == "" || is == string(Dropped)
		if _, known := v.astray[p][fact]; !known && (again || !missing) {
			v.astray[p][fact] = is
		}
		doubts[fact] = is
	}
	doubtful[p] = doubts
}

// judgeVigil ends the watch, compares the model's prediction with the scenario's, and records a finding on all facts that the
// step should have left alone. That they hold now has just been seen by the effects; the watch says of the time before.
func (s *run) judgeVigil(ctx context.Context, v *vigil, moves Moves) error {
	v.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, want, got := s.World.Fleet.State(), Facts{}, Facts{}
	remade := v.remade(after)
	for _, p := range watched {
		was, is := p.Want(v.before), p.Want(after)
		_, moved := Diff(was, is)
		predicted := map[Probe]int{Gauges{}: moves.Gauges, Routes{}: moves.Routes, Connections{}: moves.Connections}[p]
		if moved != predicted {
			return fmt.Errorf("the model moves %d facts of %s, the scenario says %d", moved, p.Name(), predicted)
		}
		for fact, value := range was {
			if is[fact] == value && !remade[fact] {
				want[p.Name()+": "+fact], got[p.Name()+": "+fact] = value, value
				if other, ok := v.astray[p][fact]; ok {
					got[p.Name()+": "+fact] = other
				}
			}
		}
	}
	maps.DeleteFunc(got, func(_, value string) bool { return value == "" })
	f := report.Finding{Kind: report.Expectation, Name: "nothing else moved", Facts: len(want), Took: time.Since(v.begun)}
	f.Differences, f.Differing = Diff(want, got)
	if f.Differing == 0 && v.failed != nil {
		f.Error = v.failed.Error()
	}
	s.find(f)
	switch {
	case f.Differing > 0:
		d := f.Differences[0]
		return fmt.Errorf("%s: %d of %d facts moved, first: %s was %q, became %q: %w", f.Name, f.Differing, f.Facts, d.Fact, d.Want, d.Got, errBroken)
	case v.failed != nil:
		return errors.Join(v.failed, errBroken)
	}
	return nil
}

// remade returns the facts about pods that are on another node than before: they were on none in between.
func (v *vigil) remade(after workloads.State) map[string]bool {
	elsewhere := func(k workloads.Key) bool {
		p, there := after.Pods[k]
		return there && v.before.Pods[k].Node != p.Node
	}
	facts := map[string]bool{}
	for _, f := range sampleFlows(v.before) {
		if elsewhere(f.From) || elsewhere(f.To) {
			facts[f.String()] = true
		}
	}
	for k := range v.before.Pods {
		if elsewhere(k) {
			facts[string(metrics.Endpoints)], facts[string(metrics.LocalEndpoints)] = true, true
		}
	}
	return facts
}
