package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

func journal(t *testing.T, path string, entries ...Entry) {
	t.Helper()
	j, err := Append(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// TestLoadLosesNothingThatDoesNotAddUp wants a measurement that can't be added to another to be told and kept, and the rest of the record with it.
func TestLoadLosesNothingThatDoesNotAddUp(t *testing.T) {
	dir := t.TempDir()
	many := metrics.NewHistogram(1, 10)
	if err := many.Record(3); err != nil {
		t.Fatal(err)
	}
	journal(t, filepath.Join(dir, "journal.jsonl"),
		Entry{Begin: &Scenario{Name: "a", Started: at(1)}},
		Entry{Scenario: "a", Measurement: &metrics.Measurement{Name: "took", Samples: []metrics.Sample{{At: at(2), Value: 1}}}},
		Entry{Scenario: "a", Measurement: &metrics.Measurement{Name: "took", Histogram: many}},
	)
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, logsDir), 0o755), os.WriteFile(filepath.Join(dir, agentLog), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	rec, err := Load(dir)
	if err == nil || len(rec.Scenarios[0].Measurements) != 2 || len(rec.Files) != 1 {
		t.Errorf("%v: %d measurements, files %q", err, len(rec.Scenarios[0].Measurements), rec.Files)
	}
}

func TestLoadMergesJournals(t *testing.T) {
	dir := t.TempDir()
	journal(t, filepath.Join(dir, "journal-driver.jsonl"),
		Entry{Begin: &Scenario{Name: "a", Started: at(1)}},
		Entry{Scenario: "a", Step: &Step{Name: "s", Cycle: 1, Started: at(2)}},
		Entry{Scenario: "a", Operation: &Operation{At: at(2.5), Verb: "plug", Count: 3}},
		Entry{Scenario: "a", Step: &Step{Name: "s", Cycle: 1, Started: at(2), Ended: at(3)}},
		Entry{Point: &metrics.Point{At: at(9)}},
		Entry{Scenario: "a", Finding: &Finding{At: at(4), Name: "first"}},
		Entry{Scenario: "a", End: ptr(at(5))},
		Entry{Begin: &Scenario{Name: "a", Started: at(6)}},
		Entry{Scenario: "a", Finding: &Finding{At: at(8), Name: "third"}},
		Entry{Begin: &Scenario{Name: "b", Started: at(7), Skipped: "why"}},
	)
	journal(t, filepath.Join(dir, "journal-0harness.jsonl"),
		Entry{Run: &Run{ID: "r", Started: at(0), Seed: 7, Versions: map[string]string{"x": "1"}}},
		Entry{Scenario: "a", Finding: &Finding{At: at(4.5), Kind: Life, Name: "second"}},
		Entry{Scenario: "a", Finding: &Finding{At: at(7), Kind: Life, Name: "in the later one"}},
		Entry{Event: &Event{At: at(4.4), What: "exited"}},
		Entry{Point: &metrics.Point{At: at(3)}},
		Entry{Run: &Run{Target: "felix", Versions: map[string]string{"y": "2"}}},
		Entry{End: ptr(at(10))},
	)
	rec, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := rec.Run
	if rec.Schema != Schema || r.ID != "r" || r.Seed != 7 || r.Target != "felix" || len(r.Versions) != 2 || !r.Started.Equal(at(0)) || !r.Ended.Equal(at(10)) {
		t.Errorf("run: %+v", r)
	}
	if len(rec.Scenarios) != 3 || len(rec.Events) != 1 || len(rec.Points) != 2 || !rec.Points[0].At.Equal(at(3)) {
		t.Fatalf("got %+v", rec)
	}
	first, again, skipped := rec.Scenarios[0], rec.Scenarios[1], rec.Scenarios[2]
	if names(first) != "first second" || !first.Ended.Equal(at(5)) || len(first.Operations) != 1 {
		t.Errorf("first: %+v", first)
	}
	if len(first.Steps) != 1 || !first.Steps[0].Ended.Equal(at(3)) {
		t.Errorf("steps: %+v", first.Steps)
	}
	if names(again) != "in the later one third" || !again.Ended.IsZero() || skipped.Skipped != "why" {
		t.Errorf("again: %+v, skipped: %+v", again, skipped)
	}
}

func names(sc Scenario) string {
	var s []string
	for _, f := range sc.Findings {
		s = append(s, f.Name)
	}
	return strings.Join(s, " ")
}

func TestLoadOfAKilledWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	journal(t, path, Entry{Begin: &Scenario{Name: "a", Started: at(1)}})
	tear(t, path, `{"scenario":"a","end":"20`)
	rec, err := Load(dir)
	if err != nil || len(rec.Scenarios) != 1 || !rec.Scenarios[0].Ended.IsZero() {
		t.Fatalf("got %+v, %v", rec, err)
	}
	journal(t, path, Entry{Scenario: "a", End: ptr(at(2))}) // its successor
	if rec, err = Load(dir); err != nil || !rec.Scenarios[0].Ended.Equal(at(2)) {
		t.Fatalf("got %+v, %v", rec, err)
	}
}

func TestLoadOfADamagedJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	tear(t, path, "garbage\n")
	journal(t, path, Entry{Begin: &Scenario{Name: "a", Started: at(1)}}, Entry{Scenario: "unknown", End: ptr(at(2))})
	rec, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), "journal.jsonl, line 1") || len(rec.Scenarios) != 2 {
		t.Errorf("got %+v, %v", rec, err)
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func tear(t *testing.T, path, s string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(s)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestJournalIsConcurrent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal-x.jsonl")
	j, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := j.Write(Entry{Event: &Event{At: at(float64(i)), What: fmt.Sprint(w, strings.Repeat("x", 5000))}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if rec, err := Load(dir); err != nil || len(rec.Events) != 400 {
		t.Errorf("got %d events, %v", len(rec.Events), err)
	}
	if err := j.Write(Entry{End: ptr(time.Now())}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if _, err := Create(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("create again: %v", err)
	}
}
