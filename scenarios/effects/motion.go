package effects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Moves says how many facts of each effect a step moves: what becomes true, what ceases to be, and what changes its value.
// It is the scenario's own prediction beside the model's, so that a step without effect can't pass for one that has it.
type Moves struct{ Gauges, Routes, Connections int }

// of returns how many facts of a probe are moved.
func (m Moves) of(p engine.Probe) int {
	switch p.(type) {
	case Gauges:
		return m.Gauges
	case Routes:
		return m.Routes
	}
	return m.Connections
}

// lookInterval is how often each fact is looked at, where a look takes no longer.
const lookInterval = 50 * time.Millisecond

// motion watches, from before a step to after it, all facts that are true before, and keeps what deviated from them.
type motion struct {
	moves  Moves
	world  *engine.World
	looks  []*look
	before workloads.State
	begun  time.Time
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// look is what is seen of one effect's facts.
type look struct {
	probe engine.Probe
	got   func(context.Context) (sight, error)
	want  engine.Facts

	mu     sync.Mutex
	failed error // the last look; nil: it succeeded
	astray map[report.Fact]aberration
}

// aberration is a fact that for a while was not what it was before.
type aberration struct {
	value       string // the first that it had
	from, until time.Time
}

// sight is what one look sees.
type sight struct {
	facts  engine.Facts
	silent map[report.Fact]bool // connections that had no answer, so that they may be late
}

// Watch looks at the facts of the gauges, routes and connections that the model wants now, which have just been seen to hold.
func (m Moves) Watch(ctx context.Context, w *engine.World) engine.Motion {
	ctx, cancel := context.WithCancel(ctx)
	e := Of(w)
	v := &motion{moves: m, world: w, before: w.Fleet.State(), begun: time.Now(), cancel: cancel}
	flows := sampleFlows(v.before)
	var first sync.WaitGroup
	for _, p := range e.ifSeen(w, Gauges{w.SUT}, e.Routes(), e.connections()) {
		l := &look{probe: p, want: p.Want(v.before), astray: map[report.Fact]aberration{}}
		l.got = func(ctx context.Context) (sight, error) {
			facts, err := p.Got(ctx, w.Fleet.State())
			return sight{facts: facts}, err
		}
		if _, is := p.(Connections); is { // the same flows all the time, whatever becomes of the model
			l.got = func(ctx context.Context) (sight, error) {
				outcomes, err := e.dial(ctx, flows)
				return sight{outcomes.facts(), outcomes.silent()}, err
			}
		}
		v.looks = append(v.looks, l)
		first.Add(1)
		v.done.Go(func() { l.watch(ctx, sync.OnceFunc(first.Done)) })
	}
	first.Wait()
	return v
}

// End ends the watch and waits until it has ended.
func (v *motion) End() {
	v.cancel()
	v.done.Wait()
}

// watch looks at facts again and again, and calls looked after the first time. What is missing must be missing twice in a row, the
// second time at once: a dump of a table that changes meanwhile may lack what is there, and the kernel may lose a packet.
func (l *look) watch(ctx context.Context, looked func()) {
	defer looked()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	doubts := engine.Facts{}
	for {
		got, err := l.got(ctx)
		if ctx.Err() != nil {
			return
		}
		l.note(got, err, doubts)
		before := doubts
		doubts = missing(l.want, got)
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

func newIn(now, before engine.Facts) bool {
	for fact := range now {
		if _, known := before[fact]; !known {
			return true
		}
	}
	return false
}

// note keeps what deviates, but for what is missing without having been in doubt before. A look that fails is made up for by the next one.
func (l *look) note(got sight, err error, doubts engine.Facts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	if err != nil {
		return
	}
	lost, now := missing(l.want, got), time.Now()
	for fact, was := range l.want {
		a, known := l.astray[fact]
		_, new := lost[fact]
		_, again := doubts[fact]
		switch is := got.facts[fact]; {
		case is == was:
			continue
		case known:
			a.until = now
		case again || !new:
			a = aberration{is, now, now}
		default:
			continue
		}
		l.astray[fact] = a
	}
}

// missing returns the facts of which there is no sign: none at all, or of a connection no answer.
func missing(want engine.Facts, got sight) engine.Facts {
	lost := engine.Facts{}
	for fact, was := range want {
		if is := got.facts[fact]; is != was && (is == "" || was == string(Connected) && got.silent[fact]) {
			lost[fact] = is
		}
	}
	return lost
}

// Judge ends the watch, compares the model's prediction with the scenario's, and tells of all facts that the
// step should have left alone. That they hold now has just been seen by the effects; the watch says of the time before.
func (v *motion) Judge(ctx context.Context, note func(report.Finding)) error {
	v.End()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, want, got := v.world.Fleet.State(), engine.Facts{}, engine.Facts{}
	remade, astray := v.remade(after), map[report.Fact]aberration{}
	for _, l := range v.looks {
		p, is := l.probe, l.probe.Want(after)
		if moved := engine.Differing(l.want, is); moved != v.moves.of(p) {
			return fmt.Errorf("the model moves %d facts of %s, the scenario says %d", moved, p.Name(), v.moves.of(p))
		}
		for fact, value := range l.want {
			if is[fact] != value || remade[fact] {
				continue
			}
			named := report.Fact{Aspect: fact.Aspect, Kind: fact.Kind, Subject: p.Name() + ": " + fact.String()}
			want[named], got[named] = value, value
			if other, ok := l.astray[fact]; ok {
				got[named], astray[named] = other.value, other
			}
		}
	}
	f := report.Finding{Kind: report.Expectation, Name: "nothing else moved", Took: time.Since(v.begun)}
	engine.Compare(&f, want, got)
	for i, d := range f.Differences {
		a := astray[d.Of()]
		f.Differences[i].From, f.Differences[i].Until = a.from, a.until
	}
	f = f.Excuse(Of(v.world).Known)
	failed := v.unseen()
	if f.Differing == 0 && failed != nil {
		f.Error = failed.Error()
	}
	note(f)
	switch {
	case f.Differing > 0:
		return fmt.Errorf("%s: %w", f.First(), engine.ErrBroken)
	case failed != nil:
		return fmt.Errorf("%s: %w: %w", f.Name, failed, engine.ErrBroken)
	}
	return nil
}

// unseen says what could not be looked at in the end.
func (v *motion) unseen() error {
	var errs []error
	for _, l := range v.looks {
		if l.failed != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.probe.Name(), l.failed))
		}
	}
	return errors.Join(errs...)
}

// remade returns the facts about pods that are on another node than before: they were on none in between.
func (v *motion) remade(after workloads.State) map[report.Fact]bool {
	elsewhere := func(k workloads.Key) bool {
		p, there := after.Pods().Lookup(k)
		return there && v.before.Pods().Get(k).Node != p.Node
	}
	facts := map[report.Fact]bool{}
	for _, f := range sampleFlows(v.before) {
		if elsewhere(f.From.Key) || elsewhere(f.To.Key) {
			facts[f.fact()] = true
		}
	}
	for k := range v.before.Pods().All() {
		if elsewhere(k) {
			facts[heard(metrics.Endpoints)], facts[heard(metrics.LocalEndpoints)] = true, true
		}
	}
	return facts
}
