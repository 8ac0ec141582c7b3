package faults

import (
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		if seen[f.Name] || f.Break == nil || (len(f.Causes) == 0) != (f.Want == metrics.Pass) {
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
	find := func(name string) Fault {
		f, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	differs := func(probe string, fact report.Fact, want, got string) report.Record {
		f := report.Finding{Kind: report.Expectation, Name: probe, Differing: 1, Differences: []report.Difference{fact.Differs(want, got)}}
		return report.Record{Verdict: metrics.Fail, Scenarios: []report.Scenario{{Reason: report.Why([]report.Finding{f}), Findings: []report.Finding{f}}}}
	}
	route := report.Fact{Aspect: report.Routes, Kind: report.Route, Subject: "10.128.0.1/32"}
	right := differs("routes", route, "dev of a/b", "")
	inconclusive := right
	inconclusive.Verdict = metrics.Inconclusive
	dead := right
	dead.Events = []report.Event{{Container: "agent", What: "exited", ExitCode: 137}}
	frozen := report.Record{Verdict: metrics.Fail, Scenarios: []report.Scenario{{Findings: []report.Finding{{Kind: report.Life, Error: "the SUT is stopped"}}}}}
	request := func(path string) report.Fact {
		return report.Fact{Aspect: report.Requests, Kind: report.Request, Subject: "GET http://route-0.example" + path}
	}
	met := func(probe, path, want, what string) report.Record {
		rec := differs(probe, request(path), want, "3 requests met something")
		rec.Scenarios[0].Findings[0].Differences[0].Violation = &report.Violation{ViolationClass: report.ViolationClass{Met: what}}
		return rec
	}
	for name, c := range map[string]struct {
		fault string
		rec   report.Record
		want  bool
	}{
		"right cause":              {"a route removed", right, true},
		"wrong cause":              {"a route removed", differs("gauges", report.Fact{Kind: report.Gauge, Subject: "endpoints"}, "1", "2"), false},
		"wrong change":             {"a route removed", differs("routes", route, "", "dev of a/b"), false},
		"wrong verdict":            {"a route removed", inconclusive, false},
		"nothing":                  {"a route removed", report.Record{Verdict: metrics.Fail}, false},
		"the agent died":           {"a route removed", dead, false},
		"the agent's end":          {"agent killed", dead, true},
		"another end of the agent": {"agent panics", dead, false},
		"no end of the agent":      {"agent killed", right, false},
		"it stands still":          {"agent frozen", frozen, true},
		"it does not stand still":  {"agent frozen", right, false},
		"requests met it":          {"wrong backend", met("never wrong", "/below", "always 200 of a/b", "wrong backend"), true},
		"they met something else":  {"wrong backend", met("never wrong", "/below", "always 200 of a/b", "502"), false},
		"others met it":            {"wrong backend", met("never wrong", "/", "always 200 of a/b", "wrong backend"), false},
		"a probe met it":           {"wrong backend", differs("requests", request("/below"), "200 of a/b", "200 of a/c"), false},
		"still there":              {"controller deaf", met("never wrong", "/below", "always 404", "wrong backend"), true},
		"there, but elsewhere":     {"controller deaf", met("never wrong", "/below", "always 200 of a/b", "wrong backend"), false},
		"of two causes":            {"agent's data plane hangs", differs("kernel", report.Fact{Aspect: report.Rules, Kind: report.Pod, Subject: "pod a/b", Part: "rule"}, "1", ""), true},
	} {
		if got, told := find(c.fault).Caught(c.rec); got != c.want {
			t.Errorf("%s: caught %v: %s", name, got, told)
		}
	}
}
