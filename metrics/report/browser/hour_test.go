package browser

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// hour is the record of an hour of fuzzing: ten operations a second, all effects compared after each five of them, twenty gauges a second.
func hour() report.Record {
	const seconds = 3600
	sc := report.Scenario{Name: "fuzz", Started: at(0), Ended: at(seconds), Verdict: metrics.Pass, Reason: "as it was made up", Validity: report.Sound}
	rec := report.Record{Schema: report.Schema, Verdict: metrics.Pass, Run: report.Run{ID: "an-hour", Started: at(0), Ended: at(seconds), Command: "fv fuzz --for 1h"}, Validity: report.Sound}
	gauges := []metrics.Gauge{
		metrics.Endpoints, metrics.LocalEndpoints, metrics.InSync, metrics.Chains, metrics.Rules, metrics.IPSets, metrics.Selectors, metrics.HeapBytes, metrics.HeapObjects,
		metrics.Goroutines, metrics.RSSBytes, metrics.PSSBytes, metrics.Threads, metrics.FDs, metrics.CgroupBytes, metrics.CPUSeconds, metrics.ProcessCPU,
	}
	for i := range seconds {
		s := float64(i)
		p := metrics.Point{At: at(s), Phase: metrics.Phase{Scenario: "fuzz", Step: "churn"}, Values: metrics.Snapshot{}}
		for k, g := range gauges {
			p.Values[g] = math.Round(1e8*(float64(k)+math.Sin(s/float64(50+k))+s/seconds)) + s
		}
		rec.Points = append(rec.Points, p)
		driver := metrics.Vitals{At: at(s + 0.5), Took: time.Second, Driver: &metrics.DriverVitals{Lost: time.Duration(i%9) * time.Millisecond, CPU: 0.3}}
		rec.Vitals = append(rec.Vitals, driver)
		if i%2 == 0 {
			rec.Vitals = append(rec.Vitals, metrics.Vitals{At: at(s + 0.6), Took: 2 * time.Second, Machine: &metrics.MachineVitals{Capacity: 4, Idle: 2, Ours: 1.5, Foreign: 0.1}})
		}
		for k := range 10 {
			sc.Operations = append(sc.Operations, report.Operation{At: at(s + float64(k)/10), Step: "churn", Verb: "create pod", Objects: []string{fmt.Sprintf("fv-1/pod-%d", 10*i+k)}, Count: 1, Took: 20 * time.Millisecond})
			if k%5 == 4 {
				for _, probe := range []string{"in sync", "routes", "kernel", "connections"} {
					sc.Findings = append(sc.Findings, report.Finding{At: at(s + float64(k)/10), Kind: report.Expectation, Step: "churn", Name: probe, Facts: 100})
				}
			}
		}
	}
	sc.Steps = []report.Step{{Name: "churn", Cycle: 1, Started: at(0), Ended: at(seconds)}}
	rec.Scenarios = []report.Scenario{sc}
	return rec
}

// TestPageOfAnHourOpens wants the page of an hour of fuzzing to open without a complaint, and to show all of it.
func TestPageOfAnHourOpens(t *testing.T) {
	p := New(t, 1280)
	took := p.open(written(t, hour()))
	t.Logf("it was open after %v", took)
	if n := Ask[float64](p, `window.report.data.times[window.report.data.times.length - 1]`); n != 3599 {
		t.Errorf("the last point is at %v s", n)
	}
	p.drawAll()
	p.Look("an-hour")
	p.quiet()
}
