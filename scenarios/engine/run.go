package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// ErrFrozen is what a SUT that is stopped, but lives, makes of every attempt to read it.
var ErrFrozen = errors.New("the SUT is stopped")

// ErrDied is the cause with which a scenario's context is cancelled when the SUT ended or was restarted unasked.
var ErrDied = errors.New("the SUT died")

// ErrInterrupted is the cause with which a scenario's context is cancelled when its user has ended the run.
var ErrInterrupted = errors.New("interrupted")

// PanicError is a panic of a step or a probe.
type PanicError struct {
	Cause string // its value, and the place in the source
	Stack string
}

func (e *PanicError) Error() string { return e.Cause }

// Runner runs scenarios one after the other and writes down all that happens. Its functions are called from one
// goroutine but for Write, which must be safe for concurrent use.
type Runner struct {
	World    *World
	Write    func(report.Entry)
	SetPhase func(metrics.Phase)                       // labels the samples that follow
	Held     func(context.Context)                     // takes an occupancy reading; nil: none
	Settled  func(context.Context)                     // takes one of the quiesced SUT
	Diagnose func(ctx context.Context, sc, why string) // called before anything is undone
}

// undoBound is how long a scenario's clean-up may take, whatever became of its own context.
const undoBound = 3 * time.Minute

// Run runs one scenario to its end, clean-up included, and records it; the verdict is Judge's to make. It returns
// what broke the scenario, if anything did: a failed expectation, the SUT's death, or the harness.
func (r *Runner) Run(ctx context.Context, sc Scenario) error {
	r.Write(report.Entry{Scenario: sc.Name, Begin: sc.Begin(time.Now())})
	ctx, cancel := context.WithTimeoutCause(ctx, sc.Timeout, fmt.Errorf("scenario did not end within %v", sc.Timeout))
	defer cancel()
	s := &run{Runner: r, sc: sc}
	r.World.run = s
	r.World.watch = r.World.Effects.Watch(ctx, r.World)
	before := s.overflows()
	err := s.caught(func() error { return s.scenario(ctx) })
	if err != nil {
		s.blame(ctx, err)
		if r.Diagnose != nil && !errors.Is(context.Cause(ctx), ErrInterrupted) {
			r.Diagnose(context.WithoutCancel(ctx), sc.Name, err.Error())
		}
		if sc.Explain != nil && ctx.Err() == nil {
			err = errors.Join(err, s.explain(ctx))
		}
	}
	if r.World.watch != nil {
		r.World.watch.Stop()
	}
	err = errors.Join(err, s.undo(ctx, err == nil), r.World.Drain(s.find))
	r.World.watch, r.World.run = nil, nil
	s.overflowed(before, s.overflows())
	end := time.Now()
	r.Write(report.Entry{Scenario: sc.Name, End: &end})
	return err
}

// explain lets the scenario look into what broke it. That it panics must not keep what is there from being undone.
func (s *run) explain(ctx context.Context) error {
	s.enter("explain", 0)
	err := s.caught(func() error {
		s.sc.Explain(ctx, s.World)
		return nil
	})
	if err != nil {
		s.blame(ctx, err)
	}
	return err
}

type run struct {
	*Runner
	sc      Scenario
	step    string
	cycle   int
	residue Probe
	decided bool // a finding of this step says why the scenario does not pass
}

// caught makes an error of a panic. That of a goroutine that a step started ends the driver all the same.
func (s *run) caught(do func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked(value, debug.Stack())
		}
	}()
	return do()
}

// panicked finds the place in a stack that was taken while a panic was caught.
func panicked(value any, stack []byte) *PanicError {
	_, since, _ := bytes.Cut(stack, []byte("\npanic(")) // what was called before is what caught it
	var words report.LastWords
	fmt.Fprintf(&words, "panic: %v\n%s\n", value, since)
	return &PanicError{Cause: words.Cause(), Stack: string(stack)}
}

func (s *run) scenario(ctx context.Context) error {
	s.enter("in sync", 0)
	for _, p := range s.World.Effects.Ready(s.World) {
		if err := s.World.Expect(ctx, p, 0, s.find); err != nil {
			return err
		}
	}
	residue, err := s.World.Effects.Residue(s.World)
	if err != nil {
		return err
	}
	s.residue = residue
	s.held(ctx)
	deploy := Step{Name: "deploy", Do: func(ctx context.Context, w *World) error {
		planned := w.Plan.State()
		if s.sc.Arrange != nil {
			s.sc.Arrange(&planned)
		}
		return w.Fleet.Apply(ctx, planned)
	}}
	for _, st := range append([]Step{deploy}, s.sc.Steps...) {
		for cycle := range max(st.Repeat, 1) {
			if err := s.execute(ctx, st, cycle+1); err != nil {
				return err
			}
			if st.Enough != nil && st.Enough() {
				break
			}
		}
		s.held(ctx)
	}
	return nil
}

// held takes an occupancy reading of what a step leaves, which those at intervals may have missed.
func (s *run) held(ctx context.Context) {
	if s.Held != nil {
		s.Held(ctx)
	}
}

func (s *run) execute(ctx context.Context, st Step, cycle int) error {
	s.enter(st.Name, cycle)
	s.World.Cycle = cycle
	begun := report.Step{Name: st.Name, Cycle: cycle, Started: time.Now()}
	s.Write(report.Entry{Scenario: s.sc.Name, Step: &begun})
	var motion Motion
	if st.Moves != nil {
		motion = st.Moves.Watch(ctx, s.World)
		defer motion.End()
	}
	if st.Do != nil {
		if err := st.Do(ctx, s.World); err != nil {
			return err
		}
	}
	if err := s.World.Check(ctx, st.Patience, s.find); err != nil {
		return err
	}
	if motion != nil {
		if err := motion.Judge(ctx, s.find); err != nil {
			return err
		}
	}
	if st.Settle && s.Settled != nil {
		if err := s.World.SUT.Quiesce(ctx); err != nil {
			return fmt.Errorf("ask the SUT to collect garbage: %w", err)
		}
		s.Settled(ctx)
	}
	if st.Read != nil {
		if err := st.Read(ctx, s.World); err != nil {
			return fmt.Errorf("read after step %q, cycle %d: %w", st.Name, cycle, err)
		}
	}
	begun.Ended = time.Now()
	s.Write(report.Entry{Scenario: s.sc.Name, Step: &begun})
	return nil
}

// undo removes everything and, if the scenario went well, checks that nothing is left.
func (s *run) undo(ctx context.Context, check bool) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), undoBound, fmt.Errorf("clean-up did not end within %v", undoBound))
	defer cancel()
	s.enter("clean up", 0)
	if err := s.World.Fleet.Clear(ctx); err != nil {
		err = fmt.Errorf("clean up: %w", err)
		s.find(report.Finding{Kind: report.Harness, Name: "clean up", Error: err.Error()})
		return err
	}
	if !check {
		return nil
	}
	for _, p := range append(s.World.Effects.Always(s.World), s.residue) {
		if err := s.caught(func() error { return s.World.Expect(ctx, p, 0, s.find) }); err != nil {
			if !errors.Is(err, ErrBroken) {
				s.blame(ctx, err)
			}
			return err
		}
	}
	return nil
}

// blame records what ended the scenario, unless a finding says so already.
func (s *run) blame(ctx context.Context, err error) {
	cause := context.Cause(ctx)
	var panicked *PanicError
	switch {
	case errors.Is(cause, ErrDied):
		s.find(report.Finding{Kind: report.Life, Name: "life of the SUT", Error: cause.Error()})
	case errors.Is(cause, ErrInterrupted):
		s.find(report.Finding{Kind: report.Harness, Name: "run", Error: cause.Error()})
	case errors.As(err, &panicked):
		s.find(report.Finding{Kind: report.Harness, Name: "scenario", Error: panicked.Cause, Stack: panicked.Stack})
	case errors.Is(err, ErrBroken):
		if !s.decided { // a step that compares by itself has told nothing but its error
			s.find(promised(s.step, err))
		}
	default:
		s.find(report.Finding{Kind: report.Harness, Name: "harness", Error: err.Error()})
	}
}

// promised is the finding on a step that did not keep what it promises, as its error says.
func promised(step string, err error) report.Finding {
	broken := report.Difference{Fact: "what the step promises", Want: "kept", Got: strings.TrimSuffix(err.Error(), ": "+ErrBroken.Error())}
	return report.Finding{Kind: report.Expectation, Name: step, Facts: 1, Differing: 1, Differences: []report.Difference{broken}}
}

// overflows asks the machine where it had no room; nil if that is not known.
func (s *run) overflows() map[string]uint64 {
	if s.World.Overflows == nil {
		return nil
	}
	counts, err := s.World.Overflows()
	if err != nil {
		s.find(report.Finding{Kind: report.Harness, Name: "overflows", Error: err.Error()})
	}
	return counts
}

// overflowed records that the machine lost packets: none of what was found of them says anything of the SUT.
func (s *run) overflowed(before, after map[string]uint64) {
	for _, setting := range slices.Sorted(maps.Keys(after)) {
		if lost := after[setting] - before[setting]; lost > 0 {
			s.find(report.Finding{Kind: report.Overflow, Name: "overflows", Error: fmt.Sprintf(
				"the kernel had no room %d times and lost packets: raise %s (all that this machine runs shares it)", lost, setting)})
		}
	}
}

func (s *run) enter(step string, cycle int) {
	s.step, s.cycle, s.decided = step, cycle, false
	if s.SetPhase != nil {
		s.SetPhase(metrics.Phase{Scenario: s.sc.Name, Step: step, Cycle: cycle})
	}
}

func (s *run) find(f report.Finding) {
	f.At, f.Step, f.Cycle = time.Now(), s.step, s.cycle
	s.decided = s.decided || report.Why([]report.Finding{f}) != "" || f.Unknown() != ""
	s.Write(report.Entry{Scenario: s.sc.Name, Finding: &f})
}
