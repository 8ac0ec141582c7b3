package report

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func members(set string, n int) []Difference {
	var all []Difference
	for i := range n {
		all = append(all, Fact{Members, Set, set, fmt.Sprintf("10.0.0.%03d", i)}.Differs("pod", ""))
	}
	return all
}

func TestRankTellsTheCauseFirst(t *testing.T) {
	all := []Difference{
		{Fact: "gauge sets", Want: "agrees", Got: "says 4, there are 5", Aspect: Counts},
		{Fact: "a > b tcp/80", Want: "connected", Got: "dropped", Aspect: Packets, Subject: "a > b"},
		{Fact: "chain x order", Want: "right", Got: "b; a", Aspect: Order, Subject: "chain x"},
		{Fact: "10.0.0.1/32", Want: "dev of a", Aspect: Routes},
		{Fact: "set s left over", Got: "yes", Aspect: Members},
		{Fact: "interface of a", Want: "up", Aspect: Links},
		{Fact: "of a probe that knows no aspects", Want: "1"},
		{Fact: "of another version", Want: "1", Aspect: "feathers"},
		{Fact: "in_sync", Want: "1", Got: "0", Aspect: Heard},
	}
	var got []string
	for _, d := range Rank(all, 50) {
		got = append(got, string(d.Aspect))
	}
	if told := strings.Join(got, " "); told != "heard links members order routes  feathers packets counts" {
		t.Errorf("got %q", told)
	}
}

// TestRankIsBounded wants every kind of difference to be among those that are kept, and true counts, however many there are.
func TestRankIsBounded(t *testing.T) {
	all := append(members("set a", 500), members("set b", 2)...)
	all = append(all, Fact{Members, Set, "set a", "10.9.9.9"}.Differs("", "nobody's"), Difference{Fact: "gauge", Aspect: Counts, Want: "agrees"})
	kept := Rank(all, 50)
	firsts, told := kinds(kept)
	var lines []string
	for _, d := range firsts {
		lines = append(lines, d.String())
	}
	want := "set a: 500 missing, first 10.0.0.000: want pod, got nothing|set b: 2 missing, first 10.0.0.000: want pod, got nothing|" +
		"set a: 10.9.9.9: want nothing, got nobody's|gauge: want agrees, got nothing"
	if got := strings.Join(lines, "|"); len(kept) != 50 || told != len(all) || got != want {
		t.Errorf("%d kept, %d told: %s", len(kept), told, got)
	}
	alone := make([]Difference, 0, 100)
	for i := range 100 {
		alone = append(alone, Difference{Fact: fmt.Sprintf("%03d", i), Want: "1"})
	}
	if kept := Rank(alone, 50); len(kept) != 50 || kept[49].Fact != "049" {
		t.Errorf("kept %d: %v", len(kept), kept[len(kept)-1])
	}
}

func TestWhyNamesTheCauseOfAllFindings(t *testing.T) {
	agreed := Finding{Kind: Expectation, Name: "in sync", Step: "churn", Facts: 1}
	finding := func(name string, facts int, differences ...Difference) Finding {
		return Finding{Kind: Expectation, Name: name, Step: "churn", Cycle: 2, Facts: facts, Bound: 6 * time.Second, Differing: len(differences), Differences: Rank(differences, 50)}
	}
	route := Difference{Fact: "10.0.0.1/32", Want: "dev of a", Aspect: Routes}
	down := Difference{Fact: "interface of a", Want: "up", Got: "down", Aspect: Links}
	flow := Difference{Fact: "a > b tcp/80", Want: "connected", Got: "dropped", Aspect: Packets}
	for name, c := range map[string]struct {
		findings []Finding
		want     string
	}{
		"nothing":          {[]Finding{agreed}, ""},
		"an interface":     {[]Finding{agreed, finding("routes", 8, route), finding("kernel", 90, down), finding("connections", 30, flow)}, `kernel: interface of a: want up, got down. It differed in step "churn", cycle 2, for 6s; in all, 1 of 90 facts of kernel, 1 of 8 facts of routes, 1 of 30 facts of connections.`},
		"a route":          {[]Finding{finding("connections", 30, flow), finding("routes", 8, route)}, `routes: 10.0.0.1/32: want dev of a, got nothing. It differed in step "churn", cycle 2, for 6s; in all, 1 of 8 facts of routes, 1 of 30 facts of connections.`},
		"it is stopped":    {[]Finding{finding("routes", 8, route), {Kind: Life, Error: "the SUT is stopped"}}, "the SUT is stopped"},
		"it can't be read": {[]Finding{{Kind: Expectation, Name: "gauges", Error: "refused"}}, ""},
	} {
		if got := Why(c.findings); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestExtentMakesSense(t *testing.T) {
	for want, f := range map[string]Finding{
		"3 of 8 facts differ after 5s":  {Differing: 3, Facts: 8, Bound: 5 * time.Second},
		"39 verdicts on 8 facts differ": {Differing: 39, Facts: 8},
	} {
		if got := f.extent(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDescribeTellsWhyFirst(t *testing.T) {
	for want, e := range map[string]Event{
		"felix died: too many ports (exit code 2)":    {Container: "agent", What: "exited", ExitCode: 2, Cause: "too many ports", Log: []string{"x"}},
		"felix died: SIGKILL, exit code 137":          {Container: "agent", What: "exited", ExitCode: 137, Cause: "of long ago"},
		"felix died: out of memory, exit code 137":    {Container: "agent", What: "exited", ExitCode: 137, OOM: true},
		"felix died: exit code 1; last log line: bye": {Container: "agent", What: "exited", ExitCode: 1, Log: []string{"x", "bye"}},
		"etcd died: exit code 0":                      {Container: "etcd", What: "exited"},
		"environment did not come up":                 {Container: "environment", What: "did not come up"},
	} {
		if got := e.Describe("felix"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestProofOutweighsWhatWasNotRead wants a finding that proves something and could not look at all to fail, and once what it proves is excused,
// to be inconclusive.
func TestProofOutweighsWhatWasNotRead(t *testing.T) {
	f := Finding{Kind: Expectation, Name: "never wrong", Facts: 2, Differing: 1, Error: "no room", Differences: []Difference{{Want: "a", Got: "b"}}}
	if why := f.Unknown(); !f.fails() || why != "" {
		t.Errorf("fails %v, unknown %q", f.fails(), why)
	}
	f.Differing, f.Differences = 0, nil
	if why := f.Unknown(); f.fails() || why == "" {
		t.Errorf("excused: fails %v, unknown %q", f.fails(), why)
	}
}
