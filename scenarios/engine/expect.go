package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// The bounds of the fall-back poll: a probe is read again when the kernel announces a change, and at the latest
// after an interval that doubles from pollMin to pollMax. calm spares the SUT a read for each of a thousand events.
const (
	pollMin = 10 * time.Millisecond
	pollMax = 250 * time.Millisecond
	calm    = 5 * time.Millisecond
)

// maxDifferences is how many differences a finding lists.
const maxDifferences = 50

// expect compares a probe's two halves until they agree or the bound is over, and records the finding.
func (s *run) expect(ctx context.Context, e Expectation) error {
	bound := e.Within
	if bound == 0 {
		bound = DefaultBound
	}
	begun := time.Now()
	f := report.Finding{Kind: report.Expectation, Name: e.Probe.Name(), Bound: bound}
	err := s.converge(ctx, e.Probe, bound, &f)
	f.Took = time.Since(begun)
	if errors.Is(err, ErrFrozen) {
		f.Kind = report.Life
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause // what was seen of a dead or cancelled run says nothing
	}
	s.find(f)
	return err
}

// look records what else differs just now.
func (s *run) look(ctx context.Context, rest []Expectation) {
	for _, e := range rest {
		got, err := e.Probe.Got(ctx, s.World)
		if err != nil {
			continue // it says nothing that the verdict needs
		}
		want := e.Probe.Want(s.World.Fleet.State())
		f := report.Finding{Kind: report.Expectation, Name: e.Probe.Name(), Facts: len(want)}
		if f.Differences, f.Differing = Diff(want, got); f.Differing > 0 {
			s.find(f)
		}
	}
}

func (s *run) converge(ctx context.Context, p Probe, bound time.Duration, f *report.Finding) error {
	deadline := time.Now().Add(bound)
	for pause := pollMin; ; pause = min(2*pause, pollMax) {
		read := time.Now()
		want := p.Want(s.World.Fleet.State())
		got, err := p.Got(ctx, s.World)
		f.Facts, f.Error = len(want), ""
		if err != nil {
			f.Error = err.Error()
			f.Differences, f.Differing = nil, 0
		} else {
			f.Differences, f.Differing = Diff(want, got)
			if f.Differing == 0 {
				return nil
			}
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				return fmt.Errorf("%s could not be read within %v (last: %w)", p.Name(), bound, err)
			}
			return fmt.Errorf("%s: %d of %d facts differ after %v, first: %s want %q got %q: %w", p.Name(), f.Differing, f.Facts, bound,
				f.Differences[0].Fact, f.Differences[0].Want, f.Differences[0].Got, errBroken)
		}
		// A probe that takes long leaves the SUT as long to itself.
		rest := max(calm, time.Since(read))
		if err := s.pause(ctx, rest, min(max(pause, rest), time.Until(deadline))); err != nil {
			return err
		}
	}
}

// pause waits for the least time, and then for a kernel event or for the rest of the fall-back's interval.
func (s *run) pause(ctx context.Context, rest, d time.Duration) error {
	least, most := time.NewTimer(min(d, rest)), time.NewTimer(d)
	defer least.Stop()
	defer most.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-least.C:
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.World.Wake:
	case <-most.C:
	}
	return nil
}

// Diff returns the facts on which both sides differ, sorted, at most 50 of them, and their true number.
func Diff(want, got Facts) (differences []report.Difference, total int) {
	union := Facts{}
	for _, side := range []Facts{want, got} {
		for fact := range side {
			if want[fact] != got[fact] {
				union[fact] = ""
			}
		}
	}
	for i, fact := range sortedFacts(union) {
		if i == maxDifferences {
			break
		}
		differences = append(differences, report.Difference{Fact: fact, Want: want[fact], Got: got[fact]})
	}
	return differences, len(union)
}
