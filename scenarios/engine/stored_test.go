package engine

import (
	"maps"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// stored is the folder of a cut of a real record: Felix v3.31.0 made its IPv6 routes again each second, which a known issue excuses, and one
// let packets pass by hand for a tenth of a second in "policy churn", which none does. Its run.json is what was judged when the run ended.
const stored = "testdata/excused"

func verdicts(rec report.Record) map[string]metrics.Verdict {
	all := map[string]metrics.Verdict{"": rec.Verdict}
	for _, sc := range rec.Scenarios {
		all[sc.Name] = sc.Verdict
	}
	return all
}

func TestStoredRecordIsJudgedAsItWas(t *testing.T) {
	was, err := report.ReadFile(filepath.Join(stored, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := report.Load(stored)
	if err != nil {
		t.Fatal(err)
	}
	for from, again := range map[string]report.Record{"the journals": Judge(rec), "run.json": Judge(was)} {
		if !reflect.DeepEqual(again, was) {
			t.Errorf("judged from %s: %+v\nwant %+v", from, again, was)
		}
	}
	want := map[string]metrics.Verdict{"": metrics.Fail, "pod churn": metrics.Pass, "policy churn": metrics.Fail, "one local endpoint": metrics.Pass}
	if got := verdicts(was); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestStoredRecordWithoutItsKnownIssue wants another verdict of what the issue excused, and the same once it is known again.
func TestStoredRecordWithoutItsKnownIssue(t *testing.T) {
	rec, err := report.Load(stored)
	if err != nil {
		t.Fatal(err)
	}
	judged := Judge(rec)
	without, ok := judged.Without("IPv6 routes remade")
	if !ok {
		t.Fatalf("the record knows %s", rec.Issues())
	}
	less := Judge(without)
	want := map[string]metrics.Verdict{"": metrics.Fail, "pod churn": metrics.Fail, "policy churn": metrics.Fail, "one local endpoint": metrics.Pass}
	if got := verdicts(less); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f, examples := less.Scenarios[0].Findings[0], len(judged.Scenarios[0].Findings[0].Excused[0].Examples)
	if f.Differing != 6 || len(f.Differences) != examples || len(f.Excused) > 0 {
		t.Errorf("%+v", f)
	}
	less.Run = judged.Run
	if again := Judge(less); !reflect.DeepEqual(again, judged) {
		t.Errorf("judged with it again: %+v\nwant %+v", again, judged)
	}
}
