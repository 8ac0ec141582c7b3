package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFindingQuotesTheAgentsLog(t *testing.T) {
	dir := t.TempDir()
	moment := at(100)
	var log strings.Builder
	for ms := -500; ms <= 500; ms += 100 {
		fmt.Fprintf(&log, "%s [INFO][1] at %d\nmore of it\n", moment.Add(time.Duration(ms)*time.Millisecond).Format("2006-01-02 15:04:05.000"), ms)
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, agentLog), []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	until := moment.Add(100 * time.Millisecond)
	rec := Record{Scenarios: []Scenario{{Findings: []Finding{
		{Name: "never wrong", Differences: []Difference{{Fact: "a", From: moment, Until: until}, {Fact: "b", From: moment, Until: moment}}},
		{Name: "routes", Differences: []Difference{{Fact: "c"}}},
	}}}}
	if err := rec.quote(dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range rec.Scenarios[0].Findings[0].Log {
		_, told, _ := strings.Cut(line, "at ")
		got = append(got, told)
	}
	if want := []string{"-200", "-100", "0", "100", "200", "300"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if l := rec.Scenarios[0].Findings[1].Log; l != nil {
		t.Errorf("a finding without times quotes %q", l)
	}
	if err := rec.quote(t.TempDir()); err != nil {
		t.Errorf("without a log: %v", err)
	}
}

func TestQuotesAreCut(t *testing.T) {
	dir := t.TempDir()
	line := at(100).Format("2006-01-02 15:04:05.000") + " [INFO][1] again\n"
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, agentLog), []byte(strings.Repeat(line, maxLogged+3)), 0o644); err != nil {
		t.Fatal(err)
	}
	rec := Record{Scenarios: []Scenario{{Findings: []Finding{{Differences: []Difference{{Fact: "a", From: at(100), Until: at(100)}}}}}}}
	if err := rec.quote(dir); err != nil {
		t.Fatal(err)
	}
	if got := rec.Scenarios[0].Findings[0].Log; len(got) != maxLogged+1 || got[maxLogged] != "and 3 more lines in logs/agent.log" {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
}

func TestFailureQuotesTheAgentsComplaints(t *testing.T) {
	dir := t.TempDir()
	var log strings.Builder
	for _, s := range []float64{90, 96, 99, 102} {
		stamp := at(s).Format("2006-01-02 15:04:05.000")
		fmt.Fprintf(&log, "%s [INFO][1] felix/a.go 1: all well at %v\n%s [WARNING][1] felix/a.go 2: complaint at %v\n", stamp, s, stamp, s)
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, agentLog), []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	f := Finding{At: at(100), Took: 5 * time.Second, Kind: Expectation, Name: "kernel", Differing: 1, Differences: []Difference{{Fact: "a"}}}
	agreed := f
	agreed.Differing, agreed.Differences = 0, nil
	rec := Record{Scenarios: []Scenario{{Findings: []Finding{f, agreed}}}}
	if err := rec.quote(dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range rec.Scenarios[0].Findings[0].Log {
		_, told, _ := strings.Cut(line, ": ")
		got = append(got, told)
	}
	if want := []string{"complaint at 96", "complaint at 99"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if l := rec.Scenarios[0].Findings[1].Log; l != nil {
		t.Errorf("a finding that agreed quotes %q", l)
	}
}

func TestStamp(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for line, ok := range map[string]bool{
		"2026-01-02 03:04:05.678 [INFO][9] felix/daemon.go 1: x\n": true,
		"2026-01-02T03:04:05.678Z started\n":                       true,
		"2026-01-02T04:04:05.678+01:00\n":                          true,
		"goroutine 1 [running]:\n":                                 false,
		"2026-01-02\n":                                             false,
		"\n":                                                       false,
		"":                                                         false,
	} {
		if got, is := stamp(line); is != ok || ok && !got.Equal(want) {
			t.Errorf("%q: got %v, %v", line, got, is)
		}
	}
}
