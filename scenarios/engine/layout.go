package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nodefv/nodefv/metrics/report"
)

// Layout is what a run has learned of how a release lays out its rules, of which nobody knows beforehand whether the target's model of them
// fits it. It is safe for concurrent use.
type Layout struct{ fits, foreign atomic.Bool }

// Foreign reports whether the rules are laid out in a way that the model does not understand.
func (l *Layout) Foreign() bool { return l != nil && l.foreign.Load() }

// doubtful reports whether it is still to be learned whether the model fits the release's rules.
func (l *Layout) doubtful() bool { return l != nil && !l.fits.Load() }

// expectRules expects what the target must have programmed. Until that has agreed once in the run, rules that differ in at least half of their chains
// are no fault of the SUT's. If all else agrees, it is the model that does not fit: that is told once. If not, that is open, and the others decide.
func (w *World) expectRules(ctx context.Context, e Expectation, others []Expectation, note func(report.Finding)) error {
	if !w.Layout.doubtful() {
		return w.expect(ctx, e, note)
	}
	var found report.Finding
	err := w.expect(ctx, e, func(f report.Finding) { found = f })
	told := func(format string) report.Finding {
		return report.Finding{Kind: report.Expectation, Name: found.Name, Note: fmt.Sprintf(format, found.Differing, found.Facts, found.First())}
	}
	switch {
	case err == nil:
		w.Layout.fits.Store(true)
	case !errors.Is(err, ErrBroken) || !w.strange(ctx, e.Probe):
	case w.agree(ctx, others):
		w.Layout.foreign.Store(true)
		found, err = told("NOT APPLICABLE to this release. %d of %d facts differ, while all else agrees: its rules are laid out in a way that is not understood."+
			" Rules and sets are not looked at any more; routes, gauges and packets are. First: %s"), nil
	default:
		found, err = told("%d of %d facts differ, and others do: whether the release's rules are laid out as they are expected is not known. First: %s"), nil
	}
	if found.Name != "" {
		note(found)
	}
	return err
}

// strange reports whether rules differ now in at least half of the chains.
func (w *World) strange(ctx context.Context, rules Probe) bool {
	got, err := rules.Got(ctx, w)
	if err != nil {
		return false
	}
	want, about := rules.Want(w.Fleet.State()), topics(rules)
	chains, differing := map[string]bool{}, map[string]bool{}
	for fact, is := range want {
		if t := about(fact); t.Aspect == report.Rules {
			chains[t.Subject] = true
			if got[fact] != is {
				differing[t.Subject] = true
			}
		}
	}
	for fact := range got {
		if t := about(fact); t.Aspect == report.Rules && want[fact] == "" && chains[t.Subject] {
			differing[t.Subject] = true
		}
	}
	return len(chains) > 0 && 2*len(differing) >= len(chains)
}

// agree reports whether all agree now.
func (w *World) agree(ctx context.Context, all []Expectation) bool {
	for _, e := range all {
		got, err := e.Probe.Got(ctx, w)
		if err != nil || Differing(e.Probe.Want(w.Fleet.State()), got) > 0 {
			return false
		}
	}
	return true
}
