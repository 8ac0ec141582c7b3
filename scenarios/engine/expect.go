package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// The bounds of the fall-back poll: a probe is read again when the kernel announces a change, and at the latest
// after an interval that doubles from pollMin to pollMax, or to a tenth of the time that has been waited. calm spares the SUT a read for each of
// a thousand events.
const (
	pollMin = 10 * time.Millisecond
	pollMax = 250 * time.Millisecond
	calm    = 5 * time.Millisecond
)

// MaxDifferences is how many differences a finding lists.
const MaxDifferences = 50

// ErrBroken is what an expectation that does not hold makes of its check; the finding says which.
var ErrBroken = errors.New("an expectation does not hold")

// Check compares every effect, one after the other, each until it agrees or patience (0: DefaultBound) is over, and asks the watch what it has
// seen since the last check, and tells note what was found. The first that is broken ends it with ErrBroken, and all others are
// looked at once.
func (w *World) Check(ctx context.Context, patience time.Duration, note func(report.Finding)) error {
	err := w.ExpectAll(ctx, w.Effects.Always(w), patience, note)
	if w.watch == nil {
		return err
	}
	if wrong := w.watch.Tell(note); err == nil {
		err = wrong
	}
	return err
}

// Drain waits until all is known that the watch looked at so far, and tells note what no check has told yet.
func (w *World) Drain(note func(report.Finding)) error {
	if w.watch == nil {
		return nil
	}
	return w.watch.Drain(note)
}

// ExpectAll expects one after the other, each within patience. Once one is broken, the others are looked at once: what is read first need
// not be what is at fault, and the error tells what is.
func (w *World) ExpectAll(ctx context.Context, all []Probe, patience time.Duration, note func(report.Finding)) error {
	begun := time.Now()
	var broken []report.Finding
	tell := func(f report.Finding) {
		note(f)
		broken = append(broken, f)
	}
	for i, p := range all {
		var err error
		if t, ok := p.(Tentative); ok && t.Doubtful() {
			err = t.ExpectAmong(ctx, w, slices.Delete(slices.Clone(all), i, i+1), patience, tell)
		} else {
			err = w.Expect(ctx, p, patience, tell)
		}
		if errors.Is(err, ErrBroken) {
			w.look(ctx, all[i+1:], broken[len(broken)-1].Bound, tell)
			cause, _ := report.Cause(broken)
			return fmt.Errorf("%s: %w", cause.First(), ErrBroken)
		}
		if err != nil {
			return err
		}
	}
	if w.watch != nil {
		w.watch.Agreed(begun)
	}
	return nil
}

// Expect compares a probe's two halves until they agree or the bound (0: DefaultBound) is over, and tells note the finding. If they do not agree the
// error wraps ErrBroken.
func (w *World) Expect(ctx context.Context, p Probe, bound time.Duration, note func(report.Finding)) error {
	bound = cmp.Or(bound, DefaultBound)
	begun := time.Now()
	f := report.Finding{Kind: report.Expectation, Name: p.Name(), Bound: bound}
	err := w.converge(ctx, p, bound, &f)
	f.Took = time.Since(begun)
	if errors.Is(err, ErrFrozen) {
		f.Kind = report.Life
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause // what was seen of a dead or cancelled run says nothing
	}
	note(f)
	return err
}

// look tells what else differs just now, once a bound is over. A probe of which it is not known whether it applies would tell what is no cause.
func (w *World) look(ctx context.Context, rest []Probe, bound time.Duration, note func(report.Finding)) {
	for _, p := range rest {
		if t, ok := p.(Tentative); ok && t.Doubtful() {
			continue
		}
		s := w.Fleet.State()
		got, err := p.Got(ctx, s)
		if err != nil {
			continue // it says nothing that the verdict needs
		}
		f := report.Finding{Kind: report.Expectation, Name: p.Name(), Bound: bound}
		if Compare(&f, p.Want(s), got); f.Differing > 0 {
			note(f)
		}
	}
}

func (w *World) converge(ctx context.Context, p Probe, bound time.Duration, f *report.Finding) error {
	begun := time.Now()
	deadline := begun.Add(bound)
	defer w.waits.Store(nil)
	for pause := pollMin; ; pause = min(2*pause, max(pollMax, time.Since(begun)/10)) {
		read := time.Now()
		s := w.Fleet.State()
		want := p.Want(s)
		got, err := p.Got(ctx, s)
		f.Error = ""
		if err != nil {
			f.Error = err.Error()
			f.Facts, f.Differences, f.Differing = len(want), nil, 0
		} else if Compare(f, want, got); f.Differing == 0 {
			return nil
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				return fmt.Errorf("%s could not be read within %v (last: %w)", p.Name(), bound, err)
			}
			return fmt.Errorf("%s: %w", f.First(), ErrBroken)
		}
		what := fmt.Sprintf("%s (%d of %d)", p.Name(), f.Differing, f.Facts)
		if err != nil {
			what = p.Name()
		}
		w.waits.Store(&what)
		// A probe that takes long leaves the SUT as long to itself.
		rest := max(calm, time.Since(read))
		if err := w.pause(ctx, rest, min(max(pause, rest), time.Until(deadline))); err != nil {
			return err
		}
	}
}

// pause waits for the least time, and then for a kernel event or for the rest of the fall-back's interval.
func (w *World) pause(ctx context.Context, rest, d time.Duration) error {
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
	case <-w.Wake:
	case <-most.C:
	}
	return nil
}

// Compare fills in what the facts say.
func Compare(f *report.Finding, want, got Facts) {
	all := differ(want, got)
	f.Facts, f.Differing = len(want), len(all)
	for fact := range got {
		if _, wanted := want[fact]; !wanted {
			f.Facts++
		}
	}
	f.Differences = report.Rank(all, MaxDifferences)
}

// Differing returns on how many facts both sides differ.
func Differing(want, got Facts) int { return len(differ(want, got)) }

func differ(want, got Facts) (all []report.Difference) {
	for fact, value := range want {
		if got[fact] != value {
			all = append(all, fact.Differs(value, got[fact]))
		}
	}
	for fact, value := range got {
		if _, wanted := want[fact]; !wanted && value != "" {
			all = append(all, fact.Differs("", value))
		}
	}
	return all
}
