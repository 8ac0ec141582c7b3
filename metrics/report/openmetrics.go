package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nodefv/nodefv/metrics"
)

// OpenMetrics is all points with their times, as `promtool tsdb create-blocks-from openmetrics` takes them. The
// metric of a gauge is called fv_ and its name; its labels are run, scenario and step.
type OpenMetrics struct{}

// File returns "metrics.om".
func (OpenMetrics) File() string { return "metrics.om" }

// Write writes the exposition. Series stand one after the other, each in order of time.
func (OpenMetrics) Write(w io.Writer, rec Record) error {
	points := slices.Clone(rec.Points)
	slices.SortStableFunc(points, func(a, b metrics.Point) int { return a.At.Compare(b.At) })
	gauges := map[metrics.Gauge]bool{}
	for _, p := range points {
		for g := range p.Values {
			gauges[g] = true
		}
	}
	var b bytes.Buffer
	for _, g := range slices.Sorted(maps.Keys(gauges)) {
		writeFamily(&b, g, rec.Run.ID, points)
	}
	b.WriteString("# EOF\n")
	_, err := w.Write(b.Bytes())
	return err
}

func writeFamily(b *bytes.Buffer, g metrics.Gauge, run string, points []metrics.Point) {
	name := "fv_" + strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, string(g))
	fmt.Fprintf(b, "# TYPE %s gauge\n", name)
	type phase struct{ scenario, step string }
	series, last := map[phase]*bytes.Buffer{}, map[phase]time.Time{}
	var order []phase
	for _, p := range points {
		v, ok := p.Values[g]
		key := phase{p.Scenario, p.Step}
		if !ok || series[key] != nil && !p.At.After(last[key]) { // a time may stand only once in a series
			continue
		}
		if series[key] == nil {
			series[key], order = &bytes.Buffer{}, append(order, key)
		}
		last[key] = p.At
		fmt.Fprintf(series[key], "%s{run=%s,scenario=%s,step=%s} %s %d.%09d\n", name, quote(run), quote(p.Scenario), quote(p.Step),
			strconv.FormatFloat(v, 'g', -1, 64), p.At.Unix(), p.At.Nanosecond())
	}
	for _, key := range order {
		b.Write(series[key].Bytes())
	}
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quote(s string) string { return `"` + labelEscapes.Replace(strings.ToValidUTF8(s, "?")) + `"` }
