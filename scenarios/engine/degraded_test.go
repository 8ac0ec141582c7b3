package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// TestJudgeOfBudgetsThatAreNotToBeBelieved starves the driver. A time is not judged then, whatever it is; what a weaker load makes smaller is not
// within its ceiling, but is above it if it is; and what was found in packets and in the kernel stays as it is.
func TestJudgeOfBudgetsThatAreNotToBeBelieved(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	enforcement := metrics.Measurement{Name: "enforcement", Unit: metrics.Seconds}
	for range 20 {
		enforcement.Samples = append(enforcement.Samples, metrics.Sample{At: begun, Value: 0.1})
	}
	for _, c := range []struct {
		budget      string
		sound, weak metrics.Verdict
	}{
		{"enforcement_p50<200ms", metrics.Pass, metrics.Inconclusive},
		{"enforcement_p50<50ms", metrics.Fail, metrics.Inconclusive},
		{"rss_bytes<100MiB", metrics.Pass, metrics.Inconclusive},
		{"rss_bytes<50MiB", metrics.Fail, metrics.Fail},
		{"", metrics.Pass, metrics.Pass},
	} {
		for _, lost := range []time.Duration{0, 500 * time.Millisecond} {
			rec := report.Record{
				Scenarios: []report.Scenario{{
					Name: "s", Started: begun, Ended: begun.Add(10 * time.Second), Steps: []report.Step{{Name: "churn", Started: begun}},
					Findings: []report.Finding{{Kind: report.Expectation, Facts: 1}}, Measurements: []metrics.Measurement{enforcement},
				}},
				Points: []metrics.Point{{At: begun.Add(time.Second), Phase: metrics.Phase{Scenario: "s", Step: "churn"}, Values: metrics.Snapshot{metrics.RSSBytes: 70 << 20}}},
			}
			for i := range 10 {
				rec.Vitals = append(rec.Vitals, metrics.Vitals{At: begun.Add(time.Duration(i+1) * time.Second), Took: time.Second, Driver: &metrics.DriverVitals{Lost: lost}})
			}
			if c.budget != "" {
				ceiling, err := metrics.ParseCeiling(c.budget)
				if err != nil {
					t.Fatal(err)
				}
				rec.Run.Ceilings = []metrics.Ceiling{ceiling}
			}
			want := c.sound
			if lost > 0 {
				want = c.weak
			}
			got := Judge(rec)
			if got.Verdict != want || report.Degraded(got.Validity) != (lost > 0) || report.Degraded(got.Scenarios[0].Validity) != (lost > 0) {
				t.Errorf("budget %q, the driver lost %v: %v, want %v: %s; %s", c.budget, lost, got.Verdict, want, got.Scenarios[0].Reason, got.Validity)
			}
			if why := got.Scenarios[0].Reason; want == metrics.Inconclusive && !strings.Contains(why, "the driver could not run") {
				t.Errorf("budget %q: %s", c.budget, why)
			}
		}
	}
}
