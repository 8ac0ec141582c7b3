package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	var values []time.Duration
	for i := range 10 {
		values = append(values, time.Duration(10-i))
	}
	for q, want := range map[float64]time.Duration{0.5: 5, 0.9: 9, 0.99: 10, 1: 10, 0.01: 1} {
		if got := Quantile(values, q); got != want {
			t.Errorf("quantile %g: got %d, want %d", q, got, want)
		}
	}
}

func TestTimings(t *testing.T) {
	timing := func(operation string, effective, gap time.Duration) Timing {
		return Timing{Operation: operation, Verdict: "deny", Load: "rest", Written: 2 * time.Millisecond, Effective: effective, Gap: gap}
	}
	rec := Record{Scenarios: []Scenario{{Timings: []Timing{
		timing("policy added", 40*time.Millisecond, time.Millisecond),
		timing("pod deleted", 20*time.Millisecond, 30*time.Millisecond),
		timing("policy added", 60*time.Millisecond, time.Millisecond),
	}}}}
	var b bytes.Buffer
	writeTimings(&b, rec)
	for _, line := range []string{
		"| policy added | deny | rest | 2 | 40.0 | 60.0 | 60.0 | 60.0 | 38.0 | 1.0 | 1.0 |  |",
		"| pod deleted | deny | rest | 1 | 20.0 | 20.0 | 20.0 | 20.0 | 18.0 | 30.0 | 30.0 | invalid: the probes were late |",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("missing: %s\nin\n%s", line, b.String())
		}
	}
	b.Reset()
	if writeTimings(&b, Record{}); b.Len() > 0 {
		t.Errorf("got %s of nothing", b.String())
	}
}
