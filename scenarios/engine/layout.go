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

// expectRules expects what the target must have programmed. Where the rules differ in at least half of their chains, at the first look of the
// run, and all else agrees, it is the model that does not fit: that is told once and is no fault of the SUT's.
func (w *World) expectRules(ctx context.Context, e Expectation, others []Expectation, note func(report.Finding)) error {
	l := w.Layout
	if l == nil || l.fits.Load() {
		return w.expect(ctx, e, note)
	}
	var found report.Finding
	err := w.expect(ctx, e, func(f report.Finding) { found = f })
	switch {
	case err == nil:
		l.fits.Store(true)
	case errors.Is(err, ErrBroken) && w.strange(ctx, e.Probe, others):
		l.foreign.Store(true)
		found = report.Finding{Kind: report.Expectation, Name: found.Name, Note: fmt.Sprintf("NOT APPLICABLE to this release. %d of %d facts differ, while "+
			"all else agrees: its rules are laid out in a way that is not understood. Rules and sets are not looked at any more; routes, gauges and "+
			"packets are. First: %s", found.Differing, found.Facts, found.First())}
		err = nil
	}
	if found.Name != "" {
		note(found)
	}
	return err
}

// strange reports whether rules differ now in at least half of the chains, and nothing else does.
func (w *World) strange(ctx context.Context, rules Probe, others []Expectation) bool {
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
	if len(chains) == 0 || 2*len(differing) < len(chains) {
		return false
	}
	for _, e := range others {
		got, err := e.Probe.Got(ctx, w)
		if err != nil || len(differ(e.Probe.Want(w.Fleet.State()), got)) > 0 {
			return false
		}
	}
	return true
}
