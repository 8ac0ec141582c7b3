package fuzz

import (
	"fmt"

	"github.com/nodefv/nodefv/metrics/report"
)

// Failure is what did not hold at the end of the operations: what explains the rest of it.
type Failure struct {
	Probe       string              `json:"probe,omitempty"` // empty: the agent died, or could not be read
	Died        bool                `json:"died,omitempty"`  // the agent did
	Error       string              `json:"error,omitempty"`
	Differing   int                 `json:"differing,omitempty"`
	Differences []report.Difference `json:"differences,omitempty"`
}

// failureOf takes the cause from what was found.
func failureOf(found []report.Finding) Failure {
	cause, ok := report.Cause(found)
	switch {
	case !ok:
		return Failure{}
	case cause.Kind == report.Life:
		return Failure{Died: true, Error: cause.Error}
	}
	return Failure{Probe: cause.Name, Differing: cause.Differing, Differences: cause.Differences}
}

// known reports whether it is known what failed, so that another failure can be told from it.
func (f Failure) known() bool { return f.Died || f.Probe != "" }

// like reports whether two failures are of one kind: the agent died, or the same probe found the same aspect wrong, of packets in the
// same way.
func (f Failure) like(o Failure) bool {
	if f.Died != o.Died || f.Probe != o.Probe {
		return false
	}
	if len(f.Differences) == 0 || len(o.Differences) == 0 {
		return true
	}
	a, b := f.Differences[0], o.Differences[0]
	if a.Aspect == report.Packets && b.Aspect == report.Packets {
		return a.Want == b.Want
	}
	return a.Aspect == b.Aspect || a.Aspect == "" || b.Aspect == "" // an old record has none
}

// String tells the failure in one line.
func (f Failure) String() string {
	if len(f.Differences) == 0 {
		return f.Error
	}
	return fmt.Sprintf("%s: %v (%d facts differ)", f.Probe, f.Differences[0], f.Differing)
}
