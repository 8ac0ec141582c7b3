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

// Bench is Go's benchmark format, for benchstat. A scenario that ended is one benchmark: its time, and what it cost the SUT: peak, mean under
// load, at the end of its last step, and settled. Numbers of the load, which are the same in all runs, are left out. Each sample of what was
// measured in it is one as well, so that benchstat finds medians and intervals; of a histogram, the quantiles are. What is not to be
// believed is told in a comment alone.
//
// Versions, parameters, the verdict and that figures are degraded are configuration lines, so that benchstat groups by them: `benchstat -col AGENT -ignore go` compares
// releases of an agent. Run and seed, in which runs of the same differ, are a comment.
type Bench struct{}

// File returns "results.txt".
func (Bench) File() string { return "results.txt" }

// Write writes the benchmarks.
func (Bench) Write(w io.Writer, rec Record) error {
	var b bytes.Buffer
	r := rec.Run
	fmt.Fprintf(&b, "# run %s, seed %d", plain(r.ID), r.Seed)
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
	configuration(&b, r.Versions)
	configuration(&b, r.Parameters)
	verdict, validity := "", ""
	for _, sc := range rec.Scenarios {
		if sc.Duration() <= 0 {
			continue
		}
		if v := sc.Verdict.String(); v != verdict {
			fmt.Fprintf(&b, "verdict: %s\n\n", v)
			verdict = v
		}
		if v := degradedWord(sc.Validity); v != validity {
			fmt.Fprintf(&b, "validity: %s\n\n", v)
			validity = v
		}
		if Degraded(sc.Validity) {
			fmt.Fprintf(&b, "# %s: %s\n", plain(sc.Name), plain(sc.Validity))
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

// degradedWord is empty for figures that can be believed, which takes the line before away: only those of degraded scenarios are kept apart.
func degradedWord(validity string) string {
	if Degraded(validity) {
		return validityWord(validity)
	}
	return ""
}

// configuration writes a line for each, whose key is lower case, as the format wants it.
func configuration(b *bytes.Buffer, values map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if v := plain(values[k]); v != "" {
			fmt.Fprintf(b, "%s: %s\n", strings.ToLower(token(k)), v)
		}
	}
}

func writeBenchmark(b *bytes.Buffer, sc Scenario, o occupancy, cpus int) {
	fmt.Fprintf(b, "BenchmarkScenario/%s-%d 1 %d ns/op", token(sc.Name), cpus, sc.Duration().Nanoseconds())
	value := func(of string, g metrics.Gauge, in metrics.Snapshot) {
		if v, ok := in[g]; ok {
			fmt.Fprintf(b, " %s %s", strconv.FormatFloat(v, 'f', -1, 64), of+strings.ReplaceAll(token(string(g)), "_", "-"))
		}
	}
	for _, g := range metrics.Costs {
		value("peak-", g, o.peak)
		value("mean-", g, o.mean)
		value("end-", g, o.end)
		value("settled-", g, o.settled)
	}
	for _, g := range metrics.CountsUp {
		value("", g, o.used)
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
