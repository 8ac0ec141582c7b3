package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// TestLeaksAreTold wants summary and table to tell the verdict on each gauge, the place that grows, what is left in the kernel, and how to open the
// profiles; and the table to pass over what did not move.
func TestLeaksAreTold(t *testing.T) {
	series := func(g metrics.Gauge, per float64) leak.Series {
		s := leak.Series{Gauge: g, Quantum: 1, See: 1}
		for i := range 10 {
			s.Add(i+1, 40+per*float64(i))
		}
		return s
	}
	few := leak.Series{Gauge: "live_objects", Quantum: 1, See: 1} // too few readings for a verdict, which its remark says
	few.Add(1, 40)
	trial := leak.Trial{
		Churn: "local-pods", Thing: "pod", Churned: 50, Identities: "fresh", Cycles: 10, Exact: true,
		Gauges: []leak.Series{
			series(metrics.Goroutines, 50), series("kernel chains", 0), series("kernel sets of a family and a table with long names", 12345678), few,
		},
		Sites:    []leak.Place{{Kind: "heap", Site: "agent.keep (agent/index.go:12)", Bytes: 12800, Of: 100, Stack: []string{"agent.keep", "agent.main"}, Series: series("objects", 50)}},
		Left:     []string{"left in chains: stale"},
		Profiles: []string{"heap-early.pb.gz", "heap-late.pb.gz"},
	}
	rec := Record{Scenarios: []Scenario{{Name: "leak by local-pods", Leak: &trial}}}
	var summary, table bytes.Buffer
	if err := (Summary{}).Write(&summary, rec); err != nil {
		t.Fatal(err)
	}
	if err := Table(&table, rec, ""); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, " \n")); n > tableWidth && !strings.Contains(line, "go tool pprof") { // which is to be copied
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for name, text := range map[string]string{"summary": strings.ReplaceAll(summary.String(), "\\", ""), "table": table.String()} {
		for _, want := range []string{
			"made and removed 50 (local-pods, fresh identities)", "LEAK", "goroutines", "agent.keep (agent/index.go:12): 1.00 objects, 256 B per pod", "    agent.main",
			"kernel: left in chains: stale", "-base heap-early.pb.gz heap-late.pb.gz",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s has no %q:\n%s", name, want, text)
			}
		}
		if shown := strings.Contains(text, "kernel chains"); shown != (name == "summary") {
			t.Errorf("the %s: kernel chains shown: %v", name, shown)
		}
	}
	const file = "plots/readings-leak-by-local-pods-goroutines.svg"
	if all := plots(rec); !slices.ContainsFunc(all, func(f Format) bool { return f.File() == file }) {
		t.Errorf("the readings have no file %s: %v", file, all)
	}
	var html bytes.Buffer
	if err := (HTML{}).Write(&html, rec); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<title>goroutines: LEAK: leak: grows by 50 per cycle", ">agent.keep (agent/index.go:12)", "1.00 objects, 256 B", "<title>Flame graph of what grows</title>",
		"<title>agent.keep 1.00 objects, 256 B</title>", "<title>agent.main</title>", "kernel: left in chains: stale",
	} {
		if !strings.Contains(html.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}
