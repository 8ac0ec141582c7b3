package harness

import (
	"testing"

	"github.com/nodefv/nodefv/metrics/report"
)

func TestPlace(t *testing.T) {
	sc := func(steps ...report.Step) report.Record {
		return report.Record{Scenarios: []report.Scenario{{Name: "one local endpoint", Steps: []report.Step{{Name: "x", Cycle: 9}}}, {Name: "pod churn", Steps: steps}}}
	}
	for want, rec := range map[string]report.Record{
		"before the first scenario":   {},
		"in pod churn":                sc(),
		`in pod churn, step "deploy"`: sc(report.Step{Name: "deploy", Cycle: 1}),
		"in pod churn, cycle 3":       sc(report.Step{Name: "deploy", Cycle: 1}, report.Step{Name: "churn", Cycle: 3}),
	} {
		if got := place(rec); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRepeatFault(t *testing.T) {
	want := `bin/fv faults --focus '^etcd restarted \(twice\)$' --seed 3 --target felix --dataplane nftables`
	if got := repeatFault(Options{Target: "felix", DataPlane: "nftables"}, "etcd restarted (twice)", 3); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
