package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// Moves says how many facts of each effect a step moves: what becomes true, what ceases to be, and what changes its value.
// It is the scenario's own prediction beside the model's, so that a step without effect can't pass for one that has it.
type Moves struct{ Gauges, Routes, Connections int }

// watched are the effects that a vigil looks at.
var watched = []Probe{Gauges{}, Routes{}, Connections{}}

// lookInterval is how often each fact is looked at, where a look takes no longer.
const lookInterval = 50 * time.Millisecond

// vigil watches, from before a step to after it, all facts that are true before, and keeps what deviated from them.
type vigil struct {
	world  *World
	probes []Probe // of watched, those that see anything
	before workloads.State
	begun  time.Time
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	failed map[Probe]error // the last look at it; nil: it succeeded
	astray map[Probe]Facts // fact to the first value that was not that from before
}

// keepVigil begins to watch and returns once everything that must be there has been looked at; the facts that the model wants
// now have just been seen to hold.
func (s *run) keepVigil(ctx context.Context) *vigil {
	ctx, cancel := context.WithCancel(ctx)
	v := &vigil{world: s.World, before: s.World.Fleet.State(), begun: time.Now(), cancel: cancel, astray: map[Probe]Facts{}, failed: map[Probe]error{}}
	v.probes = slices.DeleteFunc(slices.Clone(watched), func(p Probe) bool { return !s.World.sees(p) })
	for _, p := range v.probes {
		v.astray[p] = Facts{}
	}
	flows := sampleFlows(v.before)
	var first sync.WaitGroup
	for _, p := range v.probes {
		look := p.Got
		if p == (Connections{}) { // the same flows all the time, whatever becomes of the model
			look = func(ctx context.Context, w *World) (Facts, error) { return connect(ctx, w, flows) }
		}
		first.Add(1)
		v.done.Go(func() { v.watch(ctx, p, look, sync.OnceFunc(first.Done)) })
	}
	first.Wait()
	return v
}

// end ends the watch and waits until it has ended.
func (v *vigil) end() {
	v.cancel()
	v.done.Wait()
}

// watch looks at facts again and again, and calls looked after the first time. What is missing must be missing twice in a row, the
// second time at once: a dump of a table that changes meanwhile may lack what is there, and the kernel may lose a packet.
func (v *vigil) watch(ctx context.Context, p Probe, look func(context.Context, *World) (Facts, error), looked func()) {
	defer looked()
	want := p.Want(v.before)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	doubts := Facts{}
	for {
		got, err := look(ctx, v.world)
		if ctx.Err() != nil {
			return
		}
		v.note(p, want, got, err, doubts)
		before := doubts
		doubts = missing(want, got)
		looked()
		if newIn(doubts, before) {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func newIn(now, before Facts) bool {
	for fact := range now {
		if _, known := before[fact]; !known {
			return true
		}
	}
	return false
}

// note keeps what deviates, but for what is missing without having been in doubt before. A look that fails is made up for by the next one.
func (v *vigil) note(p Probe, want, got Facts, err error, doubts Facts) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed[p] = err
	if err != nil {
		return
	}
	lost := missing(want, got)
	for fact, was := range want {
		_, known := v.astray[p][fact]
		_, new := lost[fact]
		_, again := doubts[fact]
		if got[fact] != was && !known && (again || !new) {
			v.astray[p][fact] = got[fact]
		}
	}
}

// missing returns the facts of which there is no sign: none at all, or of a connection no answer.
func missing(want, got Facts) Facts {
	lost := Facts{}
	for fact, was := range want {
		is := got[fact]
		late := was == string(Connected) && is != string(Refused) && !strings.HasPrefix(is, string(Connected)+" from")
		if is != was && (is == "" || late) {
			lost[fact] = is
		}
	}
	return lost
}

// judgeVigil ends the watch, compares the model's prediction with the scenario's, and records a finding on all facts that the
// step should have left alone. That they hold now has just been seen by the effects; the watch says of the time before.
func (s *run) judgeVigil(ctx context.Context, v *vigil, moves Moves) error {
	v.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, want, got, about := s.World.Fleet.State(), Facts{}, Facts{}, map[string]report.Topic{}
	remade := v.remade(after)
	predicted := map[Probe]int{Gauges{}: moves.Gauges, Routes{}: moves.Routes, Connections{}: moves.Connections}
	for _, p := range v.probes {
		was, is := p.Want(v.before), p.Want(after)
		if moved := Differing(was, is); moved != predicted[p] {
			return fmt.Errorf("the model moves %d facts of %s, the scenario says %d", moved, p.Name(), predicted[p])
		}
		for fact, value := range was {
			if is[fact] != value || remade[fact] {
				continue
			}
			name := p.Name() + ": " + fact
			about[name] = report.Topic{Aspect: topics(p)(fact).Aspect}
			want[name], got[name] = value, value
			if other, ok := v.astray[p][fact]; ok {
				got[name] = other
			}
		}
	}
	f := report.Finding{Kind: report.Expectation, Name: "nothing else moved", Took: time.Since(v.begun)}
	compare(&f, want, got, func(fact string) report.Topic { return about[fact] })
	failed := v.unseen()
	if f.Differing == 0 && failed != nil {
		f.Error = failed.Error()
	}
	s.find(f)
	switch {
	case f.Differing > 0:
		return fmt.Errorf("%s: %w", f.First(), ErrBroken)
	case failed != nil:
		return fmt.Errorf("%s: %w: %w", f.Name, failed, ErrBroken)
	}
	return nil
}

// unseen says what could not be looked at in the end.
func (v *vigil) unseen() error {
	var errs []error
	for _, p := range watched {
		if err := v.failed[p]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// remade returns the facts about pods that are on another node than before: they were on none in between.
func (v *vigil) remade(after workloads.State) map[string]bool {
	elsewhere := func(k workloads.Key) bool {
		p, there := after.Pods[k]
		return there && v.before.Pods[k].Node != p.Node
	}
	facts := map[string]bool{}
	for _, f := range sampleFlows(v.before) {
		if elsewhere(f.From.Key) || elsewhere(f.To.Key) {
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
