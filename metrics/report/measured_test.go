package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// What the driver writes sample by sample is one measurement of the record; rows that differ in the last label alone stand together.
// TestTablesLeaveTheRecordAlone wants a row for all scenarios' samples not to write over those of one of them.
func TestTablesLeaveTheRecordAlone(t *testing.T) {
	room := make([]metrics.Sample, 1, 4)
	m := metrics.Measurement{Name: "took", Samples: room}
	other := metrics.Measurement{Name: "took", Samples: []metrics.Sample{{Value: 7}}}
	rec := Record{Scenarios: []Scenario{{Measurements: []metrics.Measurement{m}}, {Measurements: []metrics.Measurement{other}}}}
	if n := rec.measured()[0].rows[0].N(); n != 2 || room[:2][1].Value != 0 {
		t.Errorf("%d values, and behind those of the first stands %v", n, room[:2][1].Value)
	}
}

func TestMeasurementsAddUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(e Entry) {
		t.Helper()
		e.Scenario = "clock"
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	sample := func(load, operation, verdict string, ms int) {
		write(Entry{Measurement: &metrics.Measurement{
			Name: "enforcement", Unit: metrics.Seconds, Doc: "From write to packet.",
			Labels:  []metrics.Label{{Name: "load", Value: load}, {Name: "operation", Value: operation}, {Name: "verdict", Value: verdict}},
			Samples: []metrics.Sample{metrics.Since(at(1), time.Duration(ms)*time.Millisecond, time.Millisecond)},
		}})
	}
	write(Entry{Begin: &Scenario{Name: "clock", Started: at(0)}})
	sample("rest", "policy added", "deny", 40)
	sample("rest", "pod deleted", "deny", 1)
	sample("churn", "pod deleted", "deny", 25)
	sample("rest", "policy added", "allow", 10)
	sample("rest", "policy added", "deny", 60)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rec, err := Load(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(rec.Scenarios[0].Measurements); got != 4 {
		t.Errorf("%d measurements, want 4", got)
	}
	var summary, table bytes.Buffer
	if err := (Summary{}).Write(&summary, rec); err != nil {
		t.Fatal(err)
	}
	want := `
<details><summary>Enforcement, ms</summary>

From write to packet. A value may be too large by its resolution.

| load | operation | verdict | n | P50 | P90 | P99 | max | resolution P50 | resolution max |  |
|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|
| rest | policy added | deny | 2 | 40.0 | 60.0 | 60.0 | 60.0 | 1.0 | 1.0 |  |
| rest | policy added | allow | 1 | 10.0 | 10.0 | 10.0 | 10.0 | 1.0 | 1.0 |  |
| rest | pod deleted | deny | 1 | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | invalid: the resolution is too coarse |
| churn | pod deleted | deny | 1 | 25.0 | 25.0 | 25.0 | 25.0 | 1.0 | 1.0 |  |
`
	if want += "\n</details>\n"; !strings.HasSuffix(summary.String(), want) {
		t.Errorf("got %s, want at its end %s", summary.String(), want)
	}
	if err := Table(&table, rec, ""); err != nil || !strings.Contains(table.String(), "rest   policy added  deny     2  40.0  60.0  60.0  60.0  1.0             1.0\n") {
		t.Errorf("%v: the terminal shows %s", err, table.String())
	}
}

// Two scenarios' samples of one thing are one row, and leave the record as it is.
func TestMeasurementsOfScenariosAddUp(t *testing.T) {
	m := func(value float64) metrics.Measurement {
		return metrics.Measurement{Name: "m", Samples: []metrics.Sample{{Value: value}}}
	}
	rec := Record{Scenarios: []Scenario{{Measurements: []metrics.Measurement{m(1)}}, {Measurements: []metrics.Measurement{m(2)}}}}
	tables := rec.measured()
	if len(tables) != 1 || len(tables[0].rows) != 1 || tables[0].rows[0].N() != 2 || rec.Scenarios[0].Measurements[0].N() != 1 {
		t.Errorf("got %+v of %+v", tables, rec)
	}
}
