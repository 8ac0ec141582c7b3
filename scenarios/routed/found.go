package routed

import (
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

const (
	// neverWrong names what a watch finds.
	neverWrong = "never wrong"
	// wrongBackend is what is met where a pod answers that may not.
	wrongBackend = "wrong backend"
)

// row is a time in which what is asked again and again was answered as it must not be.
type row struct {
	asked       string    // what was
	legal       string    // what might answer
	met         string    // in the words by which known issues tell violations apart
	first, last time.Time // from the first to the end of the last
	number      int       // of requests, or of configurations
	after       string    // the change before it; empty: none is known
	changed     time.Time // that began
}

// difference is a row as data, with what else there is to know of the violation, and in words.
func (r *row) difference(v report.Violation, said string, aspect report.Aspect, kind report.Kind) report.Difference {
	v.Met, v.After, v.Legal, v.Packets = r.met, r.after, r.legal, r.number
	v.Within = report.Lasting(r.last.Sub(r.first))
	if r.after != "" {
		said += fmt.Sprintf(", %v after %q began", r.first.Sub(r.changed).Round(100*time.Microsecond), r.after)
	}
	return report.Difference{
		Fact: r.asked, Want: "always " + r.legal, Got: said, Aspect: aspect, Kind: kind, Subject: r.asked, From: r.first, Until: r.last, Violation: &v,
	}
}

// lasted is how long the row was, and when it began, in words.
func (r *row) lasted() (long time.Duration, since string) {
	return r.last.Sub(r.first).Round(100 * time.Microsecond), r.first.UTC().Format("15:04:05.000")
}

// tellWrong notes what a watch found, but for what known issues explain, and errs if something is left.
func tellWrong(f report.Finding, all []report.Difference, known []report.KnownIssue, note func(report.Finding)) error {
	f.Kind, f.Name = report.Expectation, neverWrong
	for _, d := range all {
		f.Violated(d, engine.MaxDifferences)
	}
	f = f.Excuse(known)
	note(f)
	if f.Differing > 0 {
		return fmt.Errorf("%s: %w", f.First(), engine.ErrBroken)
	}
	return nil
}
