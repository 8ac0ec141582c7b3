package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// extent tells how much of what was compared differs.
func (f Finding) extent() string {
	s := f.share() + " differ"
	if f.Bound > 0 {
		s += " after " + short(f.Bound)
	}
	return s
}

// share tells how many of how many facts differ.
func (f Finding) share() string {
	if f.Differing > f.Facts { // one flow may meet several wrong verdicts
		return fmt.Sprintf("%d verdicts on %d facts", f.Differing, f.Facts)
	}
	return fmt.Sprintf("%d of %d facts", f.Differing, f.Facts)
}

// fails reports whether the finding says that the SUT is wrong. What is proved outweighs what could not be looked at besides.
func (f Finding) fails() bool {
	return f.Kind == Life || f.Kind == Expectation && f.Differing > 0
}

// rank is less for what explains more: the end of the SUT everything, then what differs first.
func (f Finding) rank() int {
	switch {
	case f.Kind == Life:
		return -1
	case f.fails() && len(f.Differences) > 0:
		return f.Differences[0].Aspect.rank()
	}
	return len(aspects)
}

// ranked returns the findings in the order in which the first explain the others.
func ranked(findings []Finding) []Finding {
	return slices.SortedStableFunc(slices.Values(findings), func(a, b Finding) int { return cmp.Compare(a.rank(), b.rank()) })
}

// Cause returns, of findings that say that the SUT is wrong, the one that explains the others; false if there is none.
func Cause(findings []Finding) (Finding, bool) {
	for _, f := range ranked(findings) {
		if f.fails() {
			return f, true
		}
	}
	return Finding{}, false
}

// First tells in one line what differs that explains the rest of the finding.
func (f Finding) First() string {
	if f.Kind == Life || len(f.Differences) == 0 {
		return f.Error
	}
	return f.Name + ": " + folded(alike(f.firsts())[0], f.Differences)
}

// Why tells in one line why a scenario's findings fail: the first cause, where it was, and how much differs; empty if none fails.
func Why(findings []Finding) string {
	cause, ok := Cause(findings)
	if !ok || cause.Kind == Life {
		return cause.Error
	}
	var extents []string
	named := map[string]bool{}
	for _, f := range ranked(findings) {
		if f.fails() && f.Kind == Expectation && f.Step == cause.Step && f.Cycle == cause.Cycle && !named[f.Name] {
			named[f.Name] = true
			extents = append(extents, f.share()+" of "+f.Name)
		}
	}
	told := cause.First() + ". It differed " + cause.where()
	if cause.Bound > 0 {
		told += ", for " + short(cause.Bound)
	}
	return told + "; in all, " + strings.Join(extents, ", ") + "."
}

// firsts returns the listed differences that stand for all.
func (f Finding) firsts() []Difference {
	firsts, _ := kinds(f.Differences)
	return firsts
}

// where names step and cycle.
func (f Finding) where() string {
	if f.Step == "" {
		return "before any step"
	}
	s := fmt.Sprintf("in step %q", f.Step)
	if f.Cycle > 1 {
		s += fmt.Sprintf(", cycle %d", f.Cycle)
	}
	return s
}

// Unknown tells why the finding says nothing of the SUT; empty if it does.
func (f Finding) Unknown() string {
	switch {
	case f.Kind == Impairment:
		return f.Void()
	case f.fails() || f.Error == "":
		return ""
	case f.Kind == Expectation:
		return f.Name + " could not be read: " + f.Error + "; " + f.where()
	}
	return f.Name + ": " + f.Error + "; " + f.where()
}
