package mutants

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// record returns a judged one of a minute with these scenarios, ten seconds each.
func record(verdict metrics.Verdict, reason string, scenarios ...report.Scenario) report.Record {
	for i := range scenarios {
		scenarios[i].Ended = begun.Add(time.Duration(i+1) * 10 * time.Second)
	}
	return report.Record{Run: report.Run{Started: begun, Ended: begun.Add(time.Minute)}, Scenarios: scenarios, Verdict: verdict, Reason: reason}
}

func log(m Mutant) string {
	return "starting\n" + chosenLine + m.Name + "\nworking\n" + passedLine + m.Name + "\n"
}

func TestRowOfWhatTheSetCatches(t *testing.T) {
	m := mutant("one", nil)
	rec := record(metrics.Fail, "1 pass, 2 fail", report.Scenario{Name: "pod churn", Verdict: metrics.Pass},
		report.Scenario{Name: "named ports", Verdict: metrics.Fail, Reason: "a number is wrong\nand more"},
		report.Scenario{Name: "label rotation", Verdict: metrics.Fail, Reason: "another"})
	row := NewRow(m)
	more, err := row.Add(m, Set, rec, log(m))
	if err != nil || more {
		t.Errorf("more %v, %v", more, err)
	}
	row.Judge(m)
	if row.Outcome != Caught || row.Stage != Set || row.Scenario != "named ports" || row.After != 20*time.Second || row.Told != "a number is wrong" || !row.Named || !row.Passed {
		t.Errorf("got %+v", row)
	}
}

func TestRowOfWhatALaterStageCatches(t *testing.T) {
	m := mutant("one", nil)
	row := NewRow(m)
	if more, err := row.Add(m, Set, record(metrics.Pass, ""), strings.ReplaceAll(log(m), passedLine, "")); err != nil || !more || row.Outcome != Escaped || row.Passed {
		t.Errorf("after the set: more %v, %v, %+v", more, err, row)
	}
	if more, err := row.Add(m, Fuzz, record(metrics.Inconclusive, "the machine slept"), ""); err != nil || !more || row.Outcome != Inconclusive || row.Told != "the machine slept" {
		t.Errorf("after the fuzzer: more %v, %v, %+v", more, err, row)
	}
	died := record(metrics.Fail, "the SUT died: agent exited with code 2")
	if more, err := row.Add(m, Soak, died, log(m)); err != nil || more || row.Outcome != Caught || row.Scenario != "" || row.After != 3*time.Minute || row.Named {
		t.Errorf("after the leak test: more %v, %v, %+v", more, err, row)
	}
}

func TestRowNeedsTheMutantToHaveBeenChosen(t *testing.T) {
	m, row := mutant("one", nil), Row{}
	if _, err := row.Add(m, Set, record(metrics.Pass, ""), log(mutant("one-more", nil))); err == nil {
		t.Error("the log of another mutant was taken for this one's")
	}
	if _, err := row.Add(Mutant{Name: Control}, Set, record(metrics.Pass, ""), "starting\n"); err != nil {
		t.Errorf("the control: %v", err)
	}
}

func TestStagesLeft(t *testing.T) {
	m := mutant("one", nil)
	caught, escaped, unknown, another := NewRow(m), NewRow(m), NewRow(m), NewRow(mutant("one", edit("n > 15", "$on")))
	caught.Outcome, unknown.Outcome = Caught, Inconclusive
	escaped.Stages, unknown.Stages, another.Stages = []Stage{Set}, []Stage{Set}, Stages
	for name, c := range map[string]struct {
		rows []Row
		want []Stage
	}{
		"never run":       {nil, Stages},
		"caught":          {[]Row{caught}, nil},
		"escaped":         {[]Row{escaped}, []Stage{Fuzz, Soak}},
		"no verdict":      {[]Row{unknown}, Stages},
		"of another edit": {[]Row{another}, Stages},
	} {
		if _, got := Left(c.rows, m, Stages); !slices.Equal(got, c.want) {
			t.Errorf("%s: left %v, want %v", name, got, c.want)
		}
	}
}
