package faults

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
)

// Cause is what a verdict must follow from first: how the agent ended, or a finding and its first difference. Empty fields match anything.
type Cause struct {
	Exit func(report.Event) bool // of the agent, which nobody asked for; nil: it is a finding

	Finding report.FindingKind // empty: report.Expectation
	Probe   string
	Aspect  report.Aspect
	Kind    report.Kind // of the subject
	Subject string
	Part    string
	Change  report.Change
	Want    string
	Got     string
	Met     string // by packets or requests that were judged all along
}

// of reports whether a judged record tells the cause first.
func (c Cause) of(rec report.Record) bool {
	if len(rec.Scenarios) == 0 {
		return false
	}
	if i := slices.IndexFunc(rec.Events, report.Event.Unasked); i >= 0 {
		return c.Exit != nil && c.Exit(rec.Events[i])
	}
	cause, ok := report.Cause(rec.Scenarios[0].Findings)
	if !ok || c.Exit != nil {
		return false
	}
	if c.Finding != "" {
		return cause.Kind == c.Finding
	}
	if cause.Kind != report.Expectation || len(cause.Differences) == 0 {
		return false
	}
	d := cause.Differences[0]
	return is(c.Probe, cause.Name) && is(c.Aspect, d.Aspect) && is(c.Kind, d.Kind) && is(c.Subject, d.Subject) && is(c.Part, d.Part) &&
		is(c.Change, d.Change()) && is(c.Want, d.Want) && is(c.Got, d.Got) && (c.Met == "" || d.Violation != nil && d.Violation.Met == c.Met)
}

func is[T ~string](want, got T) bool { return want == "" || got == want }

// String tells the cause in words.
func (c Cause) String() string {
	switch {
	case c.Exit != nil:
		return "the agent's end"
	case c.Finding != "":
		return string(c.Finding)
	}
	var words []string
	for _, w := range []string{c.Probe, string(c.Aspect), string(c.Kind), c.Subject, c.Part, string(c.Change), c.Want, c.Got, c.Met} {
		if w != "" {
			words = append(words, w)
		}
	}
	return fmt.Sprintf("a difference (%s)", strings.Join(words, ", "))
}

// exits returns a cause that is the agent's end with an exit code, of which more is wanted.
func exits(code int, more func(report.Event) bool) Cause {
	return Cause{Exit: func(e report.Event) bool { return e.ExitCode == code && more(e) }}
}
