package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEstablished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(e Entry) {
		t.Helper()
		e.Scenario = "established"
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	write(Entry{Begin: &Scenario{Name: "established", Started: at(0)}})
	for i, e := range []Established{
		{Operation: "policy removed", Protocol: "UDP", Direction: "in", Continued: true},
		{Operation: "peer gone", Protocol: "TCP", Direction: "in", Cut: 40 * time.Millisecond, Gap: 12 * time.Millisecond},
		{Operation: "policy removed", Protocol: "TCP", Direction: "out", Continued: true},
		{Operation: "policy removed", Protocol: "TCP", Direction: "in", Continued: true},
		{Operation: "peer gone", Protocol: "TCP", Direction: "in", Cut: 60 * time.Millisecond, Gap: 10 * time.Millisecond},
		{Operation: "policy removed", Protocol: "TCP", Direction: "in", Cut: 20 * time.Millisecond, Gap: 10 * time.Millisecond},
	} {
		e.At = at(float64(i))
		write(Entry{Established: &e})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rec, err := Load(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	writeEstablished(&b, rec)
	want := `
| policy removed | TCP | in | 1 of 2 | 1 of 2 | 20.0 | 20.0 | 10.0 |
| policy removed | TCP | out | 1 of 1 | 0 of 1 | – | – | – |
| policy removed | UDP | in | 1 of 1 | 0 of 1 | – | – | – |
| peer gone | TCP | in | 0 of 2 | 2 of 2 | 40.0 | 60.0 | 12.0 |
`
	if !strings.HasSuffix(b.String(), want) || !strings.Contains(b.String(), "no verdict follows") {
		t.Errorf("got %s, want the rows%s", b.String(), want)
	}
	var table, summary bytes.Buffer
	if err := Table(&table, rec); err != nil || !strings.Contains(table.String(), b.String()) {
		t.Errorf("%v: the terminal shows %s", err, table.String())
	}
	if err := (Summary{}).Write(&summary, rec); err != nil || !strings.Contains(summary.String(), b.String()) {
		t.Errorf("%v: the summary shows %s", err, summary.String())
	}
	b.Reset()
	if writeEstablished(&b, Record{}); b.Len() > 0 {
		t.Errorf("got %s of nothing", b.String())
	}
}
