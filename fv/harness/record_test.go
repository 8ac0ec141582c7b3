package harness

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// TestReportOfAnyRecord wants a page from journals of a run that was cut off, from run.json alone, and by a name below the folder of records.
func TestReportOfAnyRecord(t *testing.T) {
	out := t.TempDir()
	dir := filepath.Join(out, "cut-off")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	j, err := report.Create(filepath.Join(dir, "journal-harness.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	begin := report.Entry{Scenario: "churn", Begin: &report.Scenario{Name: "churn", Started: time.Now()}}
	if err := errors.Join(j.Write(begin), j.Close()); err != nil {
		t.Fatal(err)
	}
	for _, without := range []string{"nothing", "journal-harness.jsonl"} {
		_ = os.Remove(filepath.Join(dir, without))
		path, err := Report("cut-off", out)
		if err != nil {
			t.Fatalf("without %s: %v", without, err)
		}
		page, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(page, []byte("it did not end")) {
			t.Errorf("without %s: %v, %d bytes", without, err, len(page))
		}
	}
	var wrong *UsageError
	if _, err := Report("another", out); !errors.As(err, &wrong) {
		t.Errorf("of no record: %v", err)
	}
}
