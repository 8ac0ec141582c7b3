package fuzz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// The bounds of shrinking.
const (
	mostRuns      = 300
	confirmations = 3               // runs of what is taken for certain, before and after
	leastPatience = 5 * time.Second // of a comparison; it is more where those that agreed took long
)

// attempt is one shrinking of a failure against the live environment.
type attempt struct {
	*fuzzing
	ctx      context.Context
	deadline time.Time
	patience time.Duration
	tries    int // how often a candidate may pass before it is let go
	runs     int
	most     int   // runs
	broke    error // what ended it before its time
}

// shrink makes the failure's operations fewer and simpler, and writes down each step as it comes: whatever ends it, the
// smallest list so far is kept.
func (f *fuzzing) shrink(ctx context.Context, w *engine.World) {
	if !f.repro.Failure.known() || f.ShrinkFor == 0 {
		return
	}
	begun := time.Now()
	a := &attempt{fuzzing: f, ctx: ctx, deadline: begun.Add(f.ShrinkFor), tries: 1, most: mostRuns,
		patience: min(max(leastPatience, 5*f.slowest), engine.DefaultBound)}
	start, again := a.start()
	if again {
		Shrink(start, a.fails, a.stop)
		f.repro.Shrunk.Note = a.note(again)
		a.confirm(f.repro.Batches)
	} else {
		f.repro.Shrunk.Tried += a.runs
		f.repro.Shrunk.Note = a.note(again)
	}
	s := &f.repro.Shrunk
	s.Runs, s.Took = a.runs, time.Since(begun)
	if err := f.repro.Write(f.means.Out); err != nil {
		f.means.Tell("%v", err)
	}
	f.means.Tell("shrunk from %d operations to %d in %d runs and %v; the last fail %d times of %d%s; see repro.json, repro.go.txt", s.From, s.To, s.Runs,
		s.Took.Round(time.Second), s.Failed, s.Tried, parenthesis(s.Note))
}

func parenthesis(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

func (a *attempt) note(again bool) string {
	switch {
	case a.broke != nil:
		return "ended early: " + a.broke.Error()
	case context.Cause(a.ctx) != nil:
		return "ended early: " + context.Cause(a.ctx).Error()
	case !again:
		return "it did not fail again"
	case a.runs >= a.most:
		return fmt.Sprintf("ended after %d runs", a.runs)
	case !time.Now().Before(a.deadline):
		return fmt.Sprintf("ended after %v", a.ShrinkFor)
	}
	return ""
}

func (a *attempt) stop() bool {
	return a.broke != nil || a.ctx.Err() != nil || a.runs >= a.most || !time.Now().Before(a.deadline)
}

// start looks for a list from which to begin: the state some batches before the failure, built at once, and these batches; if that is
// not enough, all that was made. It measures how surely that fails.
func (a *attempt) start() (batches [][]Op, found bool) {
	whole := a.history
	for back := 1; back < len(whole) && !a.stop(); back *= 2 {
		begin := NewModel(anyNode)
		for _, ops := range whole[:len(whole)-back] {
			for _, op := range ops {
				begin.Apply(op)
			}
		}
		candidate := slices.Concat([][]Op{begin.Rebuild()}, whole[len(whole)-back:])
		if count(candidate) < count(whole) && a.fails(candidate) {
			batches, found = candidate, true
			break
		}
	}
	for range confirmations {
		if !found && !a.stop() && a.fails(whole) {
			batches, found = whole, true
		}
	}
	if !found {
		return nil, false
	}
	failed := 1
	for range confirmations - 1 {
		if !a.stop() && a.fails(batches) {
			failed++
		}
	}
	a.tries = []int{5, 5, 3, 1}[failed]
	a.means.Tell("it fails again in %d of %d runs of %d operations; shrinking, at most %v", failed, confirmations, count(batches), time.Until(a.deadline).Round(time.Second))
	return batches, true
}

// fails says whether a list of operations fails as the first one did, and if so keeps it as the best.
func (a *attempt) fails(batches [][]Op) bool {
	for range a.tries {
		failure := a.once(batches)
		if failure == nil {
			continue
		}
		a.repro.Batches, a.repro.Failure = batches, *failure
		a.repro.Shrunk.To, a.repro.Shrunk.Runs = count(batches), a.runs
		a.repro.Shrunk.Note = "shrinking did not end"
		if err := a.repro.Write(a.means.Out); err != nil {
			a.broke = err
		}
		return true
	}
	return false
}

// once makes a list once. Another failure than the first is none: it would lead away.
func (a *attempt) once(batches [][]Op) *Failure {
	if a.stop() {
		return nil
	}
	a.runs++
	failure, err := a.trial(a.ctx, batches, a.patience, func(report.Finding) {})
	if err != nil {
		a.broke = err
		if cause := context.Cause(a.ctx); cause != nil && !errors.Is(err, cause) {
			a.broke = errors.Join(cause, err)
		}
		return nil
	}
	if failure == nil || !failure.like(a.repro.Failure) {
		return nil
	}
	return failure
}

// confirm says how surely the operations fail that are left.
func (a *attempt) confirm(batches [][]Op) {
	s := &a.repro.Shrunk
	s.Tried, s.Failed = 0, 0
	a.deadline, a.most = time.Now().Add(time.Minute), a.most+confirmations // it is worth that
	for range confirmations {
		if a.stop() {
			break
		}
		s.Tried++
		if a.once(batches) != nil {
			s.Failed++
		}
	}
}
