package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
)

// TestSkipsOfOneReasonAreOneRow wants scenarios that were skipped for the same reason to be one row wherever people read, but for those that are few or
// were asked for by name, and all of them to be in what programs read.
func TestSkipsOfOneReasonAreOneRow(t *testing.T) {
	rec := Record{Run: Run{Focus: "^(needs wings 1|runs.*|needs.*)$"}, Scenarios: []Scenario{{Name: "runs", Verdict: metrics.Pass, Started: at(0), Ended: at(1)}}}
	skip := func(reason string, numbers ...int) {
		for _, n := range numbers {
			rec.Scenarios = append(rec.Scenarios, Scenario{Name: fmt.Sprintf("needs %s %d", reason, n), Started: at(2), Verdict: metrics.Skip, Skipped: "no " + reason, Reason: "no " + reason})
		}
	}
	skip("wings", 1, 2, 3, 4)
	skip("fins", 1, 2)
	skip("legs", 1, 2, 3)
	var table bytes.Buffer
	if err := Table(&table, rec, "runs"); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.SplitAfter(table.String(), "\n") {
		if n := len([]rune(line)); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	var rows []string
	for line := range strings.Lines(table.String()) {
		if row, skipped := strings.CutPrefix(line, "skip"); skipped {
			rows = append(rows, strings.TrimSpace(strings.TrimRight(row, "– \n")))
		}
	}
	if want := "[needs wings 1 needs fins 1 needs fins 2 3 scenarios 3 scenarios]"; fmt.Sprint(rows) != want {
		t.Errorf("the table has %v, want %s", rows, want)
	}
	if !strings.Contains(table.String(), "  no legs; summary.md has their names\n") {
		t.Errorf("no reason in\n%s", table.String())
	}
	for f, row := range map[Format]string{Summary{}: "| skip | 3 scenarios | – | – | – | – | no wings |", HTML{}: ">3 scenarios</th>"} {
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, row) || !strings.Contains(text, "needs wings 2, needs wings 3, needs wings 4") || strings.Contains(text, "| needs legs 1 |") {
			t.Errorf("%s is\n%s", f.File(), text)
		}
	}
	for _, f := range []Format{JSON{}, JUnit{}} {
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		for _, sc := range rec.Scenarios {
			if !strings.Contains(b.String(), `"`+sc.Name+`"`) {
				t.Errorf("%s does not have %s", f.File(), sc.Name)
			}
		}
	}
}
