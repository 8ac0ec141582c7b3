package faults

import (
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		if seen[f.Name] || f.Break == nil || (f.Cause == nil) != (f.Want == metrics.Pass) {
			t.Errorf("fault %q is there twice or incomplete", f.Name)
		}
		seen[f.Name] = true
		if bed := Bed(f, nil); len(bed.Steps) < 3 {
			t.Errorf("bed of %q: %+v", f.Name, bed)
		}
	}
	if _, err := Find("no such fault"); err == nil {
		t.Error("found no such fault")
	}
}

func TestCaught(t *testing.T) {
	f, err := Find("a route removed")
	if err != nil {
		t.Fatal(err)
	}
	difference := func(probe, fact, want, got string) report.Record {
		f := report.Finding{Kind: report.Expectation, Name: probe, Differing: 1, Differences: []report.Difference{{Fact: fact, Want: want, Got: got}}}
		return report.Record{Verdict: metrics.Fail, Scenarios: []report.Scenario{{Reason: report.Why([]report.Finding{f})}}}
	}
	inconclusive := difference("routes", "10.128.0.1/32", "dev of a/b", "")
	inconclusive.Verdict = metrics.Inconclusive
	for name, c := range map[string]struct {
		rec  report.Record
		want bool
	}{
		"right cause":   {difference("routes", "10.128.0.1/32", "dev of a/b", ""), true},
		"wrong cause":   {difference("gauges", "endpoints", "1", "2"), false},
		"wrong verdict": {inconclusive, false},
		"nothing":       {report.Record{Verdict: metrics.Pass}, false},
	} {
		if got, told := f.Caught(c.rec); got != c.want {
			t.Errorf("%s: caught %v: %s", name, got, told)
		}
	}
}
