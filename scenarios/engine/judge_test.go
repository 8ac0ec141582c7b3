package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func TestJudge(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ended := begun.Add(time.Minute)
	agreed := report.Finding{Kind: report.Expectation, Name: "routes", Facts: 3}
	differs := report.Finding{Kind: report.Expectation, Name: "routes", Facts: 3, Differing: 1, Differences: []report.Difference{{Fact: "10.128.0.1/32", Want: "dev of a/b"}}}
	cut := report.Finding{
		Kind: report.Expectation, Name: "never wrong", Facts: 4, Differing: 2, Violations: []report.ViolationCount{{ViolationClass: report.ViolationClass{Family: report.IPv6, Met: report.Dropped}, Violations: 2, Packets: 7}},
		Differences: []report.Difference{{Fact: "a > b", Want: "no packet dropped", Got: "7 packets were dropped", Violation: &report.Violation{ViolationClass: report.ViolationClass{Family: report.IPv6, Met: report.Dropped}}}},
	}
	cuts := []report.KnownIssue{{Name: "cuts", Reference: "docs", Excuses: report.ViolationClass{Family: report.IPv6}}}
	exit := func(role string, code int) report.Event {
		return report.Event{At: begun.Add(time.Second), Container: role, What: "exited", ExitCode: code, Log: []string{"panic: boom"}}
	}
	impaired := func(c metrics.Claim) report.Finding {
		return report.Finding{Kind: report.Impairment, Name: "impairment", Impaired: []report.Impaired{{What: "a link", Packets: c.N, Claims: []metrics.Claim{c}}}}
	}
	for name, c := range map[string]struct {
		findings  []report.Finding
		events    []report.Event
		known     []report.KnownIssue
		unexcused string
		unended   bool
		skipped   string
		want      metrics.Verdict
		says      string
	}{
		"all agreed":         {findings: []report.Finding{agreed}, want: metrics.Pass, says: "3 facts"},
		"nothing compared":   {want: metrics.Inconclusive, says: "nothing was compared"},
		"a fact differs":     {findings: []report.Finding{agreed, differs}, want: metrics.Fail, says: "10.128.0.1/32: want dev of a/b, got nothing"},
		"the SUT was killed": {findings: []report.Finding{agreed}, events: []report.Event{exit("agent", 137)}, want: metrics.Fail, says: "felix died: SIGKILL, exit code 137"},
		"the SUT's end was learnt of late": {
			findings: []report.Finding{{Kind: report.Life, Error: "process 13 ended"}}, want: metrics.Fail, says: "felix died: too many ports (exit code 2)",
			events: []report.Event{{At: ended.Add(time.Second), Container: "agent", What: "exited", ExitCode: 2, Cause: "too many ports"}},
		},
		"the API server died": {findings: []report.Finding{differs}, events: []report.Event{exit("apiserver", 1)}, want: metrics.Inconclusive, says: "apiserver died"},
		"then the SUT died":   {events: []report.Event{exit("etcd", 1), exit("agent", 2)}, want: metrics.Inconclusive, says: "etcd died"},
		"the driver stopped":  {findings: []report.Finding{agreed}, unended: true, want: metrics.Inconclusive, says: "did not end"},
		"it was skipped":      {skipped: "the target has no wings", want: metrics.Skip, says: "wings"},
		"there was no room": {
			findings: []report.Finding{differs, {Kind: report.Overflow, Error: "raise gc_thresh3"}}, want: metrics.Inconclusive, says: "gc_thresh3",
		},
		"an impairment was in force": {
			findings: []report.Finding{agreed, impaired(metrics.ClaimShare("loss", 10, 11, 1000))}, want: metrics.Pass, says: "3 facts",
		},
		"an impairment was not in force": {
			findings: []report.Finding{differs, impaired(metrics.ClaimShare("loss", 10, 100, 1000))}, want: metrics.Inconclusive,
			says: "a link: loss: asked 1.000 %, achieved 10.000 %",
		},
		"nothing shows an impairment":    {findings: []report.Finding{agreed, impaired(metrics.ClaimShare("loss", 0.1, 0, 10))}, want: metrics.Inconclusive, says: "unknown (n 10)"},
		"nobody met an impairment":       {findings: []report.Finding{agreed, impaired(metrics.Claim{})}, want: metrics.Inconclusive, says: "no packet met it"},
		"amid an impairment it is wrong": {findings: []report.Finding{impaired(metrics.ClaimShare("loss", 10, 11, 1000)), differs}, want: metrics.Fail, says: "10.128.0.1/32"},
		"what a known issue explains": {
			findings: []report.Finding{agreed, cut}, known: cuts, want: metrics.Pass, says: `excused by "cuts" (docs): 2 violations, 7 packets`,
		},
		"what no known issue explains any more": {
			findings: []report.Finding{agreed, cut.Excuse(cuts)}, want: metrics.Fail, says: "never wrong: a > b: want no packet dropped, got 7 packets were dropped",
		},
		"what is not to be excused": {findings: []report.Finding{agreed, cut}, known: cuts, unexcused: "all is judged", want: metrics.Fail, says: "7 packets"},
		"nothing was watched, in a hurry": {
			findings: []report.Finding{agreed, {Kind: report.Expectation, Name: "never wrong", Note: "no packet was judged"}}, want: metrics.Pass, says: "no packet was judged",
		},
		"a probe could not be read": {findings: []report.Finding{{Kind: report.Expectation, Name: "gauges", Error: "connection refused"}}, want: metrics.Inconclusive, says: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := report.Scenario{Name: "s", Started: begun, Ended: ended, Findings: c.findings, Skipped: c.skipped, Unexcused: c.unexcused}
			if c.unended {
				sc.Ended = time.Time{}
			}
			got := Judge(report.Record{Run: report.Run{Target: "felix", Known: c.known}, Scenarios: []report.Scenario{sc}, Events: c.events}).Scenarios[0]
			if got.Verdict != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("%v: %s; want %v with %q", got.Verdict, got.Reason, c.want, c.says)
			}
		})
	}
}

func TestJudgeOfNothingIsInconclusive(t *testing.T) {
	if got := Judge(report.Record{}); got.Verdict != metrics.Inconclusive {
		t.Errorf("%v: %s", got.Verdict, got.Reason)
	}
}

func TestJudgeOfAnEnvironmentThatNeverCameUp(t *testing.T) {
	for container, want := range map[string]metrics.Verdict{"agent": metrics.Fail, "etcd": metrics.Inconclusive} {
		got := Judge(report.Record{Events: []report.Event{{Container: container, What: "exited", ExitCode: 1}}})
		if got.Verdict != want || !strings.Contains(got.Reason, container+" died: exit code 1") {
			t.Errorf("%s: %v: %s", container, got.Verdict, got.Reason)
		}
	}
}

func TestJudgeFailsARunWhoseSUTDiedBetweenScenarios(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sc := report.Scenario{Name: "s", Started: begun, Ended: begun.Add(time.Minute), Findings: []report.Finding{{Kind: report.Expectation, Facts: 1}}}
	died := report.Event{At: begun.Add(-time.Second), Container: "agent", What: "exited", ExitCode: 2}
	if got := Judge(report.Record{Scenarios: []report.Scenario{sc}, Events: []report.Event{died}}); got.Verdict != metrics.Fail {
		t.Errorf("%v: %s", got.Verdict, got.Reason)
	}
}

// TestJudgeNamesAllBrokenBudgets wants every budget that is broken in the reason, and none that is kept.
func TestJudgeNamesAllBrokenBudgets(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sc := report.Scenario{
		Name: "s", Started: begun, Ended: begun.Add(time.Minute), Findings: []report.Finding{{Kind: report.Expectation, Facts: 1}},
		Budgets: []metrics.Budget{{Gauge: metrics.HeapBytes, Max: 1}, {Gauge: metrics.RSSBytes, Max: 1 << 40}, {Gauge: metrics.Goroutines, Max: 10}, {Gauge: metrics.FDs, Max: 1}},
	}
	point := metrics.Point{At: begun, Phase: metrics.Phase{Scenario: "s", Settled: true}, Values: metrics.Snapshot{metrics.HeapBytes: 5, metrics.RSSBytes: 5, metrics.Goroutines: 50}}
	got := Judge(report.Record{Scenarios: []report.Scenario{sc}, Points: []metrics.Point{point}}).Scenarios[0]
	if got.Verdict != metrics.Fail || strings.Count(got.Reason, "above the ceiling") != 2 || strings.Count(got.Reason, "; ") != 1 {
		t.Errorf("%v: %s", got.Verdict, got.Reason)
	}
}

// TestJudgeOfCeilings wants a run's ceilings to be judged in each scenario that read what they limit, and the run to be open if none did.
func TestJudgeOfCeilings(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	scenario := func(name string) report.Scenario {
		return report.Scenario{
			Name: name, Started: begun, Ended: begun.Add(time.Minute), Findings: []report.Finding{{Kind: report.Expectation, Facts: 1}},
			Steps: []report.Step{{Name: "churn", Started: begun}},
		}
	}
	point := func(name, step string, rss float64) metrics.Point {
		return metrics.Point{At: begun, Phase: metrics.Phase{Scenario: name, Step: step}, Values: metrics.Snapshot{metrics.RSSBytes: rss}}
	}
	for text, want := range map[string]string{
		"rss_bytes<120MiB":     "pass pass; pass: 2 pass",
		"rss_bytes<80MiB":      "pass fail; fail: 1 pass, 1 fail",
		"enforce_deny_p99<1ms": "pass pass; inconclusive: budget enforce_deny_p99<1ms: no scenario of the run measured that",
	} {
		c, err := metrics.ParseCeiling(text)
		if err != nil {
			t.Fatal(err)
		}
		rec := Judge(report.Record{
			Run: report.Run{Ceilings: []metrics.Ceiling{c}}, Scenarios: []report.Scenario{scenario("small"), scenario("large")},
			Points: []metrics.Point{point("small", "churn", 70<<20), point("large", "churn", 90<<20), point("large", "clean up", 900<<20)},
		})
		got := fmt.Sprintf("%v %v; %v: %s", rec.Scenarios[0].Verdict, rec.Scenarios[1].Verdict, rec.Verdict, rec.Reason)
		if got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
