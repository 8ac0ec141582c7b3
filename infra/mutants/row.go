package mutants

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// Control is the name of the row without a mutant: the altered SUT must pass there.
const Control = "control"

// Stage is something that may catch a mutant.
type Stage string

// The stages in their order.
const (
	Set  Stage = "set"  // the default set of scenarios, up to the first that fails
	Fuzz Stage = "fuzz" // the fuzzer, for some minutes
	Soak Stage = "leak" // the leak test
)

// Stages lists them all.
var Stages = []Stage{Set, Fuzz, Soak}

// Outcome is what became of a mutant. The zero value is inconclusive.
type Outcome string

// The outcomes.
const (
	Caught       Outcome = "caught"
	Escaped      Outcome = "escaped"      // every stage passed
	Inconclusive Outcome = "inconclusive" // no stage caught it, and one had no verdict
)

// Row is what is known of one mutant, or of the control.
type Row struct {
	Mutant   string        `json:"mutant"`
	Bug      string        `json:"bug,omitempty"`
	Class    Class         `json:"class,omitempty"` // empty: the control
	Why      string        `json:"why,omitempty"`
	Digest   string        `json:"digest,omitempty"`
	Outcome  Outcome       `json:"outcome"`
	Stage    Stage         `json:"stage,omitempty"`    // that caught it
	Scenario string        `json:"scenario,omitempty"` // of that stage; empty: it was caught outside of one
	After    time.Duration `json:"after_ns,omitempty"` // of driving, until it was caught
	Told     string        `json:"told,omitempty"`     // the first line told, or why there is no verdict
	Named    bool          `json:"named,omitempty"`    // that line names the cause
	Passed   bool          `json:"passed,omitempty"`   // the SUT came by a place that the mutant changes
	Stages   []Stage       `json:"stages,omitempty"`   // that have let it pass
	Took     time.Duration `json:"took_ns"`            // all stages, with their environments
	Records  []string      `json:"records,omitempty"`  // folders of the stages
}

// NewRow returns the row of a mutant to which nothing has happened yet.
func NewRow(m Mutant) Row {
	return Row{Mutant: m.Name, Bug: m.Bug, Class: m.Class, Why: m.Why, Digest: m.Digest(), Outcome: Escaped}
}

// Add puts a stage's judged record, and the log of the SUT in it, into the row. It reports whether the next stage has something to tell
// yet: it has not once the mutant is caught.
func (r *Row) Add(m Mutant, stage Stage, rec report.Record, log string) (more bool, err error) {
	if rec.Verdict != metrics.Inconclusive && m.Name != Control && !strings.Contains(log, chosenLine+m.Name+"\n") {
		return false, fmt.Errorf("mutant %s: the SUT's log does not say that it was chosen", m.Name)
	}
	r.Passed = r.Passed || strings.Contains(log, passedLine+m.Name+"\n")
	sc, told, at := first(rec)
	switch rec.Verdict {
	case metrics.Fail:
		r.Outcome, r.Stage, r.Scenario, r.Told = Caught, stage, sc, told
		r.After += at.Sub(rec.Run.Started)
		return false, nil
	case metrics.Inconclusive:
		r.Outcome, r.Told = Inconclusive, told
	default:
		r.Stages = append(r.Stages, stage)
	}
	r.After += rec.Run.Ended.Sub(rec.Run.Started)
	return true, nil
}

// Judge takes what the table of today says of a mutant, and tells whether what was told names the cause.
func (r *Row) Judge(m Mutant) {
	r.Bug, r.Class, r.Why = m.Bug, m.Class, m.Why
	r.Named = r.Outcome == Caught && m.Cause != "" && regexp.MustCompile(m.Cause).MatchString(r.Told)
}

// first returns the first scenario that failed, or else had no verdict, what was told of it and when it ended.
func first(rec report.Record) (scenario, told string, at time.Time) {
	for _, sc := range rec.Scenarios {
		if sc.Verdict == rec.Verdict {
			at := sc.Ended
			if at.IsZero() {
				at = rec.Run.Ended
			}
			return sc.Name, line(sc.Reason), at
		}
	}
	return "", line(rec.Reason), rec.Run.Ended
}

func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// Left returns the row of a mutant as it is now, and the stages that have something to tell of it yet: none once it is caught, and of one that
// escaped those that it has not met. Without a verdict it begins anew.
func Left(rows []Row, m Mutant, stages []Stage) (Row, []Stage) {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Mutant == m.Name && r.Digest == m.Digest() })
	if i < 0 || rows[i].Outcome == Inconclusive {
		return NewRow(m), stages
	}
	if rows[i].Outcome == Caught {
		return rows[i], nil
	}
	return rows[i], slices.DeleteFunc(slices.Clone(stages), func(s Stage) bool { return slices.Contains(rows[i].Stages, s) })
}
