package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nodefv/nodefv/metrics"
)

// Bench is Go's benchmark format, for benchstat. A scenario that ended is one benchmark: its time and its gauges. Each sample of what was
// measured in it is one as well, so that benchstat finds medians and intervals; of a histogram, the quantiles are. What is not to be
// believed is told in a comment alone.
//
// benchstat compares only what has the same configuration lines. So they hold what must be equal for a comparison to
// make sense, the verdict among them; the run, the seed and the versions, by which runs are compared, are a comment.
type Bench struct{}

// File returns "results.txt".
func (Bench) File() string { return "results.txt" }

// Write writes the benchmarks.
func (Bench) Write(w io.Writer, rec Record) error {
	var b bytes.Buffer
	r := rec.Run
	fmt.Fprintf(&b, "# run %s, seed %d", plain(r.ID), r.Seed)
	for _, k := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, ", %s %s", plain(k), plain(r.Versions[k]))
	}
	if r.Unexcused != "" {
		b.WriteString("\n# " + plain(r.Unexcused))
	}
	b.WriteByte('\n')
	for _, c := range [][2]string{
		{"goos", "linux"}, {"goarch", r.Machine.Arch}, {"cpu", r.Machine.CPU}, {"kernel", r.Machine.Kernel},
		{"target", r.Target}, {"runtime", r.Runtime},
	} {
		if v := plain(c[1]); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", c[0], v)
		}
	}
	verdict := ""
	for _, sc := range rec.Scenarios {
		if sc.Duration() <= 0 {
			continue
		}
		if v := sc.Verdict.String(); v != verdict {
			fmt.Fprintf(&b, "verdict: %s\n\n", v)
			verdict = v
		}
		writeBenchmark(&b, sc, rec.occupancy(sc), max(r.Machine.CPUs, 1))
		for _, e := range sc.Excused() {
			fmt.Fprintf(&b, "# %s: %s\n", plain(sc.Name), e)
		}
		for _, m := range sc.Measurements {
			writeMeasurement(&b, m, max(r.Machine.CPUs, 1))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeBenchmark(b *bytes.Buffer, sc Scenario, snap metrics.Snapshot, cpus int) {
	fmt.Fprintf(b, "BenchmarkScenario/%s-%d 1 %d ns/op", token(sc.Name), cpus, sc.Duration().Nanoseconds())
	for _, g := range slices.Sorted(maps.Keys(snap)) {
		fmt.Fprintf(b, " %s %s", strconv.FormatFloat(snap[g], 'f', -1, 64), strings.ReplaceAll(token(string(g)), "_", "-"))
	}
	b.WriteByte('\n')
}

func writeMeasurement(b *bytes.Buffer, m metrics.Measurement, cpus int) {
	if why := m.Doubt(); why != "" {
		fmt.Fprintf(b, "# %s\n", plain(m.String()))
		return
	}
	name := "BenchmarkMeasurement/" + token(m.Name)
	for _, l := range m.Labels {
		name += "/" + token(l.Name+"="+strings.ReplaceAll(l.Value, "/", "_per_"))
	}
	unit := cmp.Or(map[metrics.Unit]string{metrics.Count: "count", metrics.Seconds: "sec", metrics.Bytes: "B"}[m.Unit], strings.ReplaceAll(token(string(m.Unit)), "_", "-"))
	line := func(n int, values ...any) {
		fmt.Fprintf(b, "%s-%d %d", name, cpus, n)
		for i := 0; i < len(values); i += 2 {
			fmt.Fprintf(b, " %s %s", strconv.FormatFloat(values[i].(float64), 'f', -1, 64), values[i+1])
		}
		b.WriteByte('\n')
	}
	for _, s := range m.Samples {
		if s.Resolution > 0 {
			line(1, s.Value, unit, s.Resolution, "resolution-"+unit)
		} else {
			line(1, s.Value, unit)
		}
	}
	if m.Histogram != nil && m.N() > 0 {
		line(m.N(), m.Quantile(0.5), "P50-"+unit, m.Quantile(0.9), "P90-"+unit, m.Quantile(0.99), "P99-"+unit, m.Quantile(1), "max-"+unit)
	}
	if m.Without > 0 {
		line(1, float64(m.N()), "samples", float64(m.Without), "trials-without")
	}
}

// token makes a word without white space.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
