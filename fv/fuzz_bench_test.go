package fv

import (
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

// BenchmarkFuzz makes 300 drawn operations, with everything compared after each ten.
func BenchmarkFuzz(b *testing.B) {
	const ops = 300
	d := benchDriver(b, 1)
	sc, err := d.Fuzzing(fuzz.Order{Ops: ops})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if verdict, why := d.Run(b.Context(), sc); verdict != metrics.Pass {
			b.Fatalf("%v: %s", verdict, why)
		}
	}
	rec, err := report.Load(d.Handoff().Out)
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range rec.Scenarios[len(rec.Scenarios)-1].Steps {
		if step.Name == "fuzz" {
			b.ReportMetric(ops/step.Ended.Sub(step.Started).Seconds(), "operations/s")
		}
	}
	b.ReportMetric(0, "ns/op")
}
