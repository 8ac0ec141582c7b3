package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sweep"
)

// TestNote wants a note to stand on the page and in the summary of a run and of a sweep, and what is none to be refused.
func TestNote(t *testing.T) {
	out := t.TempDir()
	run := filepath.Join(out, "a-run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	j, err := report.Create(filepath.Join(run, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Write(report.Entry{Run: &report.Run{ID: "a-run", Started: time.Now(), Target: "word"}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Report(run, out); err != nil {
		t.Fatal(err)
	}
	swept := filepath.Join(out, "a-sweep")
	if err := os.MkdirAll(swept, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := sweep.Begin(swept, sweep.Head{Plan: sweep.Plan{Scenario: "x", Rounds: 1, Axes: []sweep.Axis{{Name: "rate", Values: []string{"1"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	cell := sweep.Cell{Values: []string{"1"}, Round: 1}
	if err := s.Add(sweep.Result{Cell: cell, Verdict: metrics.Pass, Quantities: []report.Quantity{{Name: "duration", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{"a-run": {"report.html", "summary.md"}, "a-sweep": {"sweep.html", "summary.md"}} {
		for _, text := range []string{"a <b>build</b> ran\nbeside it", "and ended"} {
			if _, err := AddNote(name, out, text); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			shown, err := os.ReadFile(filepath.Join(out, name, file))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(shown), "<b>build") || !strings.Contains(string(shown), "ran beside it") || !strings.Contains(string(shown), "and ended") {
				t.Errorf("%s of %s does not have the notes, or takes them for its own", file, name)
			}
		}
	}
	for _, c := range [][2]string{{"a-run", " \n"}, {"none", "text"}, {"a-run", "\xff\xfe"}, {"a-run", strings.Repeat("x", 20_000)}} {
		if _, err := AddNote(c[0], out, c[1]); err == nil {
			t.Errorf("a note of %d bytes for %s is not refused", len(c[1]), c[0])
		}
	}
}
