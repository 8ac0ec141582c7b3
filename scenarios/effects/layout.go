package effects

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Layout is what a run has learned of how a release lays out its rules, of which nobody knows beforehand whether the target's model of them
// fits it. It is safe for concurrent use.
type Layout struct{ fits, foreign atomic.Bool }

// Foreign reports whether the rules are laid out in a way that the model does not understand.
func (l *Layout) Foreign() bool { return l != nil && l.foreign.Load() }

// doubtful reports whether it is still to be learned whether the model fits the release's rules.
func (l *Layout) doubtful() bool { return l != nil && !l.fits.Load() }

// Doubtful reports whether it is still to be learned whether the model fits the release's rules.
func (p Programmed) Doubtful() bool { return p.Layout.doubtful() }

// ExpectAmong expects what the target must have programmed. Until that has agreed once in the run, rules that differ in at least half of their chains
// are no fault of the SUT's. If all else agrees, it is the model that does not fit: that is told once. If not, that is open, and the others decide.
func (p Programmed) ExpectAmong(ctx context.Context, w *engine.World, others []engine.Probe, patience time.Duration, note func(report.Finding)) error {
	var found report.Finding
	err := w.Expect(ctx, p, patience, func(f report.Finding) { found = f })
	told := func(format string) report.Finding {
		return report.Finding{Kind: report.Expectation, Name: found.Name, Note: fmt.Sprintf(format, found.Differing, found.Facts, found.First())}
	}
	switch {
	case err == nil:
		p.Layout.fits.Store(true)
	case !errors.Is(err, engine.ErrBroken) || !p.strange(ctx, w.Fleet.State()):
	case agree(ctx, others, w.Fleet.State()):
		p.Layout.foreign.Store(true)
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
func (p Programmed) strange(ctx context.Context, s workloads.State) bool {
	got, err := p.Got(ctx, s)
	if err != nil {
		return false
	}
	want := p.Want(s)
	chains, differing := map[string]bool{}, map[string]bool{}
	for fact, is := range want {
		if fact.Aspect == report.Rules {
			chains[fact.Subject] = true
			if got[fact] != is {
				differing[fact.Subject] = true
			}
		}
	}
	for fact := range got {
		if fact.Aspect == report.Rules && want[fact] == "" && chains[fact.Subject] {
			differing[fact.Subject] = true
		}
	}
	return len(chains) > 0 && 2*len(differing) >= len(chains)
}

// agree reports whether all agree now.
func agree(ctx context.Context, all []engine.Probe, s workloads.State) bool {
	for _, p := range all {
		got, err := p.Got(ctx, s)
		if err != nil || engine.Differing(p.Want(s), got) > 0 {
			return false
		}
	}
	return true
}
