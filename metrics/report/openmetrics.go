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
// metric of a gauge is called fv_ and its name; its labels are run, scenario and step. What was measured in a scenario
// is a summary at its end, called fv_measured_, its name and its unit; it has the measurement's labels as well, and the
// label invalid if it is not to be believed. A scenario whose figures are not to be believed has fv_degraded. What known issues excused is fv_excused_violations and fv_excused_packets.
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
	writeSummaries(&b, rec)
	writeExcusedCounts(&b, rec)
	writeDegraded(&b, rec)
	writeVitals(&b, rec)
	b.WriteString("# EOF\n")
	_, err := w.Write(b.Bytes())
	return err
}

func writeFamily(b *bytes.Buffer, g metrics.Gauge, run string, points []metrics.Point) {
	name := "fv_" + word(string(g))
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

// writeSummaries writes what was measured, family by family.
func writeSummaries(b *bytes.Buffer, rec Record) {
	families, order := map[string]*bytes.Buffer{}, []string{}
	for _, sc := range rec.Scenarios {
		for _, m := range sc.Measurements {
			name := strings.TrimRight("fv_measured_"+word(m.Name)+"_"+word(string(m.Unit)), "_")
			if families[name] == nil {
				families[name], order = &bytes.Buffer{}, append(order, name)
			}
			writeSummary(families[name], name, rec.Run.ID, sc, m)
		}
	}
	for _, name := range order {
		fmt.Fprintf(b, "# TYPE %s summary\n%s", name, families[name])
	}
}

func writeSummary(b *bytes.Buffer, name, run string, sc Scenario, m metrics.Measurement) {
	labels := fmt.Sprintf("run=%s,scenario=%s", quote(run), quote(sc.Name))
	for _, l := range m.Labels {
		labels += fmt.Sprintf(",%s=%s", word(l.Name), quote(l.Value))
	}
	if why := m.Doubt(); why != "" {
		labels += ",invalid=" + quote(why)
	}
	when := sc.atEnd()
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		if m.N() > 0 {
			fmt.Fprintf(b, "%s{%s,quantile=\"%g\"} %s %s\n", name, labels, q, strconv.FormatFloat(m.Quantile(q), 'g', -1, 64), when)
		}
	}
	fmt.Fprintf(b, "%s_count{%s} %d %s\n", name, labels, m.N(), when)
}

// atEnd is when the scenario ended, or else began.
func (sc Scenario) atEnd() string {
	at := sc.Ended
	if at.IsZero() {
		at = sc.Started
	}
	return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond())
}

// writeExcusedCounts writes how much each known issue excused in each scenario.
func writeExcusedCounts(b *bytes.Buffer, rec Record) {
	for _, family := range []struct {
		name string
		of   func(Excused) int
	}{{"fv_excused_violations", func(e Excused) int { return e.Violations }}, {"fv_excused_packets", func(e Excused) int { return e.Packets }}, {"fv_excused_routes", func(e Excused) int { return e.Routes }}} {
		var lines bytes.Buffer
		for _, sc := range rec.Scenarios {
			for _, e := range sc.Excused() {
				fmt.Fprintf(&lines, "%s{run=%s,scenario=%s,issue=%s} %d %s\n", family.name, quote(rec.Run.ID), quote(sc.Name), quote(e.Issue), family.of(e), sc.atEnd())
			}
		}
		if lines.Len() > 0 {
			fmt.Fprintf(b, "# TYPE %s gauge\n%s", family.name, &lines)
		}
	}
}

// writeDegraded writes 1 for each scenario whose figures are not to be believed.
func writeDegraded(b *bytes.Buffer, rec Record) {
	var lines bytes.Buffer
	for _, sc := range rec.Scenarios {
		if Degraded(sc.Validity) {
			fmt.Fprintf(&lines, "fv_degraded{run=%s,scenario=%s,why=%s} 1 %s\n", quote(rec.Run.ID), quote(sc.Name), quote(strings.TrimPrefix(sc.Validity, degraded)), sc.atEnd())
		}
	}
	if lines.Len() > 0 {
		fmt.Fprintf(b, "# TYPE fv_degraded gauge\n%s", &lines)
	}
}

// writeVitals writes how well driver and machine could do their work, per second of the time.
func writeVitals(b *bytes.Buffer, rec Record) {
	for _, family := range vitalSeries {
		var lines bytes.Buffer
		var last time.Time
		for _, v := range rec.Vitals {
			value, ok := family.of(v)
			if !ok || v.Took <= 0 || !v.At.After(last) {
				continue
			}
			last = v.At
			fmt.Fprintf(&lines, "fv_%s{run=%s} %s %d.%09d\n", family.name, quote(rec.Run.ID), strconv.FormatFloat(value/v.Took.Seconds(), 'g', -1, 64), v.At.Unix(), v.At.Nanosecond())
		}
		if lines.Len() > 0 {
			fmt.Fprintf(b, "# TYPE fv_%s gauge\n%s", family.name, &lines)
		}
	}
}

// word makes what may stand in a metric's name.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, s)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quote(s string) string { return `"` + labelEscapes.Replace(strings.ToValidUTF8(s, "?")) + `"` }
