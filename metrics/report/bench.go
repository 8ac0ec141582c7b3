package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nodefv/nodefv/metrics"
)

// Bench is Go's benchmark format, for benchstat. A scenario that ended is one benchmark: its time and its gauges.
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

// token makes a word without white space.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
