package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// strained is a record of one scenario of ten seconds, watched each second.
func strained(d metrics.DriverVitals, m metrics.MachineVitals) Record {
	sc := Scenario{Name: "churn", Started: at(10), Ended: at(20)}
	rec := Record{Run: Run{Started: at(0), Target: "felix"}, Scenarios: []Scenario{sc}}
	for i := range 30 {
		v := metrics.Vitals{At: at(float64(i)), Took: time.Second}
		driver, machine := v, v
		driver.Driver, machine.Machine = &metrics.DriverVitals{}, &metrics.MachineVitals{Capacity: 2, Idle: 1, Ours: 1}
		if i > 10 && i <= 20 {
			driver.Driver, machine.Machine = &d, &m
		}
		rec.Vitals = append(rec.Vitals, driver, machine)
	}
	for i := range 10 {
		rec.Points = append(rec.Points, metrics.Point{At: at(10.1 + float64(i)), Phase: metrics.Phase{Scenario: "churn"}})
	}
	return rec
}

func TestDoubts(t *testing.T) {
	calm := metrics.MachineVitals{Capacity: 2, Idle: 1, Ours: 1}
	ms := time.Millisecond
	change := func(change func(*Record)) Record {
		rec := strained(metrics.DriverVitals{}, calm)
		change(&rec)
		return rec
	}
	gap := []metrics.Gap{{Source: "metrics", Reason: "connection refused"}}
	agent := func(what string, seconds float64) Event {
		return Event{Container: "agent", What: what, Asked: true, At: at(seconds)}
	}
	for name, c := range map[string]struct {
		rec    Record
		why    string // empty: sound
		scopes []Scope
	}{
		"nothing was wrong":                     {rec: strained(metrics.DriverVitals{}, calm)},
		"the driver was late now and then":      {rec: strained(metrics.DriverVitals{Lost: 90 * ms, Throttled: 90 * ms}, calm)},
		"the driver was starved":                {strained(metrics.DriverVitals{Lost: 300 * ms, Latest: 40 * ms}, calm), "the driver could not run for 30 % of the time, 40ms at once", []Scope{Times, Peaks}},
		"the driver was throttled":              {strained(metrics.DriverVitals{Lost: 300 * ms, Throttled: 290 * ms}, calm), "quota was used up", []Scope{Times, Peaks}},
		"throttled where the watch did not see": {strained(metrics.DriverVitals{Throttled: 290 * ms}, calm), "throttled for 29 %", []Scope{Times, Peaks}},
		"the clock was set back":                {strained(metrics.DriverVitals{ClockStep: -time.Second}, calm), "the clock was set back by 1s", []Scope{Times}},
		"the clock went a little ahead":         {rec: strained(metrics.DriverVitals{ClockStep: 9 * ms}, calm)},
		"the hypervisor took some":              {strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Steal: 0.5, Idle: 1}), "the hypervisor took 25 %", []Scope{Times}},
		"others used what was idle":             {rec: strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Idle: 0.5, Foreign: 1.4})},
		"others used what was scarce":           {strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Idle: 0.1, Foreign: 1.4}), "other programs used 70 %", []Scope{Times}},
		"others used a little of it":            {rec: strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Foreign: 0.4, Ours: 1.6})},
		"memory was scarce":                     {strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Idle: 1, Pressure: map[string]float64{"memory": 0.3}}), "waited for memory for 30 %", []Scope{Times}},
		"the processors were fought for, by us": {rec: strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Ours: 2, Pressure: map[string]float64{"cpu": 1}})},
		"the agent could not be read": {change(func(r *Record) {
			for i := range 4 {
				r.Points[3+i].Gaps = gap
			}
		}), "44 % of the time metrics could not be read", []Scope{Readings}},
		"one scrape failed": {rec: change(func(r *Record) { r.Points[3].Gaps = gap })},
		"the agent was away on purpose": {rec: change(func(r *Record) {
			for i := range 4 {
				r.Points[3+i].Gaps = gap
			}
			r.Events = []Event{agent("exited", 13), agent("restarted", 16.5)}
		})},
		"the rate was not reached": {change(func(r *Record) {
			r.Scenarios[0].Operations = []Operation{{Count: 101, Rate: 50, Took: 4 * time.Second}, {Count: 101, Took: time.Hour}}
		}), "25 changes a second were made where 50 were asked for", []Scope{Peaks}},
		"the rate was reached": {rec: change(func(r *Record) {
			r.Scenarios[0].Operations = []Operation{{Count: 101, Rate: 50, Took: 2100 * ms}, {Count: 2, Rate: 50, Took: time.Second}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			sc := c.rec.Scenarios[0]
			doubts, validity := c.rec.Doubts(sc), c.rec.ValidityOf(sc)
			if c.why == "" {
				if len(doubts) > 0 || validity != Sound {
					t.Errorf("got %v, %s", doubts, validity)
				}
				return
			}
			if len(doubts) != 1 || !strings.Contains(validity, c.why) || !Degraded(validity) || fmt.Sprint(doubts[0].Falsifies) != fmt.Sprint(c.scopes) {
				t.Errorf("got %+v, %s", doubts, validity)
			}
		})
	}
}

func TestValidityOfWhatNobodyWatched(t *testing.T) {
	rec := Record{Scenarios: []Scenario{{Name: "a", Started: at(1), Ended: at(2)}, {Name: "b", Skipped: "no wings"}}}
	for _, sc := range rec.Scenarios {
		if got := rec.ValidityOf(sc); got != "" {
			t.Errorf("%s: %q", sc.Name, got)
		}
	}
	if got := rec.RunValidity(); got != "" {
		t.Errorf("got %s", got)
	}
}

// degradedRecord is one whose driver was starved while it measured.
func degradedRecord() Record {
	rec := strained(metrics.DriverVitals{Lost: 300 * time.Millisecond, Latest: 40 * time.Millisecond}, metrics.MachineVitals{Capacity: 2, Idle: 1})
	sc := &rec.Scenarios[0]
	sc.Verdict, sc.Measurements = metrics.Pass, []metrics.Measurement{
		{Name: "enforcement", Unit: metrics.Seconds, Samples: []metrics.Sample{{At: at(11), Value: 0.1}, {At: at(12), Value: 0.2}}},
		{Name: "left over", Samples: []metrics.Sample{{At: at(11), Value: 3}}},
	}
	sc.Source = "scenarios/churn.go:7"
	sc.Validity = rec.ValidityOf(*sc)
	rec.Validity, rec.Verdict, rec.Reason = rec.RunValidity(), metrics.Pass, "1 pass"
	return rec
}

// TestEveryFormatMarksADegradedRun wants the reason in each of them, once for the scenario or the run, and nothing of it in a sound one.
func TestEveryFormatMarksADegradedRun(t *testing.T) {
	const why = "the driver could not run for 30 %"
	rec := degradedRecord()
	sound := strained(metrics.DriverVitals{}, metrics.MachineVitals{Capacity: 2, Idle: 1})
	sound.Scenarios[0].Validity = Sound
	sound.Validity = sound.RunValidity()
	for name, text := range outputs(t, rec) {
		if !strings.Contains(text, why) {
			t.Errorf("%s does not say why it is degraded", name)
		}
	}
	for name, text := range outputs(t, sound) {
		if strings.Contains(text, "degraded: ") {
			t.Errorf("%s calls a sound run degraded", name)
		}
	}
}

// outputs are what every format, and the table, say of a record.
func outputs(t *testing.T, rec Record) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range Formats() {
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		all[f.File()] = b.String()
	}
	var b bytes.Buffer
	if err := Table(&b, rec, "out/r1"); err != nil {
		t.Fatal(err)
	}
	all["the table"] = strings.Join(strings.Fields(b.String()), " ")
	return all
}
