package harness

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sweep"
)

// TestNoteOfASweepThatGoesOn wants a note that was written while cells were measured to be in the page and the summary.
func TestNoteOfASweepThatGoesOn(t *testing.T) {
	w := &sweeping{h: &Harness{cfg: Config{Out: io.Discard}}, dir: t.TempDir()}
	w.Plan = sweep.Plan{Scenario: "x", Rounds: 1, Axes: []sweep.Axis{{Name: "rate", Values: []string{"1"}}}}
	w.Results = []sweep.Result{{Cell: w.Plan.Cells()[0], Verdict: metrics.Pass}}
	if err := report.AddNote(w.dir, report.Note{At: time.Now(), Text: "a build ran"}); err != nil {
		t.Fatal(err)
	}
	if err := w.tell(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"sweep.html", "summary.md"} {
		if shown, err := os.ReadFile(filepath.Join(w.dir, file)); err != nil || !strings.Contains(string(shown), "a build ran") {
			t.Errorf("%s does not have the note: %v", file, err)
		}
	}
}

// TestTimeOfAPreset wants the sweeps of a preset to share its time, and one that is up to begin no cell.
func TestTimeOfAPreset(t *testing.T) {
	now := time.Now()
	first := SweepOptions{For: time.Minute}
	later := SweepOptions{For: time.Minute, until: first.end(now)}
	if got := later.end(now.Add(time.Hour)); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("a later sweep ends %v after the first began", got.Sub(now))
	}
	if got := (&SweepOptions{}).end(now); !got.IsZero() {
		t.Errorf("without a limit it ends at %v", got)
	}
	var told strings.Builder
	w := &sweeping{h: &Harness{cfg: Config{Progress: &told}}, until: now.Add(-time.Second)}
	if err := w.measureAll(t.Context(), []sweep.Cell{{}, {}}); err != nil || !strings.Contains(told.String(), "2 cells are left") {
		t.Errorf("%q, %v", told.String(), err)
	}
}
