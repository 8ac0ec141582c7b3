package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// leakWords are the verdicts on one gauge for people.
var leakWords = map[metrics.Verdict]string{metrics.Fail: "LEAK", metrics.Pass: "none", metrics.Inconclusive: "unsure"}

// leakHeads are the columns of a leak's table.
var leakHeads = []string{"", "what", "per cycle", "per object", "from", "to", "smallest visible", ""}

// leakRows are the rows of a leak's table: one for each gauge.
func leakRows(answers []leak.Answer, t leak.Trial) [][]string {
	each := func(g metrics.Gauge, v float64) string { return g.Format(leak.Round(v / float64(max(t.Churned, 1)))) }
	var rows [][]string
	for _, a := range answers {
		if a.N < leak.MinCycles {
			rows = append(rows, []string{leakWords[a.Verdict], string(a.Gauge), unknown, unknown, unknown, unknown, unknown, a.Says(t.Churned, t.Thing)})
			continue
		}
		remark := ""
		switch {
		case a.Slows && a.Verdict == metrics.Inconclusive:
			remark = fmt.Sprintf("grew, but less and less; about %d more cycles", a.More)
		case a.Verdict == metrics.Inconclusive:
			remark = fmt.Sprintf("about %d more cycles", a.More)
		case a.WarmUp > 0:
			remark = fmt.Sprintf("after %d cycles of warm-up", a.WarmUp)
		}
		g := a.Gauge
		rows = append(rows, []string{leakWords[a.Verdict], string(g), g.Format(leak.Round(a.Slope)), each(g, a.Slope), each(g, a.Low), each(g, a.High), each(g, a.Above), remark})
	}
	return rows
}

// leakIntro says what the table is about.
func leakIntro(t leak.Trial) string {
	said := fmt.Sprintf("%d cycles, each of which made and removed %d (%s, %s identities). What the agent holds was read after each, settled and collected. From and to are the"+
		" interval of the growth per %s; all intervals of a run hold together in %.0f%% of runs. A leak of less than the smallest visible would not have been seen.",
		t.Cycles, t.Churned, t.Churn, t.Identities, t.Thing, 100*(1-leak.Alpha))
	if t.Restless > 0 {
		said += fmt.Sprintf(" After %d of the cycles no two readings in a row agreed.", t.Restless)
	}
	return said
}

// leakPlaces tells the places that hold more and more, and what is left in the kernel, a line each.
func leakPlaces(t leak.Trial) []string {
	var lines []string
	places, answers := t.Growing()
	for i, p := range places {
		lines = append(lines, plain(fmt.Sprintf("%s: %s per %s", p.Site, p.Per(answers[i].Slope, t.Churned), t.Thing)))
		for _, frame := range p.Stack {
			lines = append(lines, "    "+plain(frame))
		}
	}
	return append(lines, leakRest(t)...)
}

// leakRest tells what is left in the kernel, and how to look at the profiles, a line each.
func leakRest(t leak.Trial) []string {
	var lines []string
	for _, l := range t.Left {
		lines = append(lines, "kernel: "+l)
	}
	if len(t.Profiles) == 2 {
		lines = append(lines, fmt.Sprintf("go tool pprof -sample_index=inuse_objects -base %s %s", t.Profiles[0], t.Profiles[1]))
	}
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return lines
}

func writeLeaks(b *bytes.Buffer, rec Record) {
	for _, sc := range rec.Scenarios {
		if sc.Leak == nil {
			continue
		}
		fmt.Fprintf(b, "\n## Leaks: %s\n\n%s\n\n", cell(sc.Name), cell(leakIntro(*sc.Leak)))
		row(b, leakHeads...)
		b.WriteString("|---|---|---:|---:|---:|---:|---:|---|\n")
		for _, r := range leakRows(sc.Leak.Answers(), *sc.Leak) {
			row(b, r...)
		}
		if lines := leakPlaces(*sc.Leak); len(lines) > 0 {
			fence(b, "text", lines)
		}
	}
}

// still reports whether a gauge of the kernel did not move at all.
func still(a leak.Answer) bool {
	return strings.HasPrefix(string(a.Gauge), leak.KernelGauge) && a.Verdict == metrics.Pass && a.Slope == 0
}

// tableAnswers writes the rows for a terminal, without the growth per cycle and with each remark below its row, and returns how many it left out.
func tableAnswers(b *bytes.Buffer, t leak.Trial) (unmoved int) {
	const most = 26 // columns of a gauge's name; summary.md has all of it
	var rows bytes.Buffer
	var remarks []string
	w := tabwriter.NewWriter(&rows, 0, 8, 2, ' ', 0)
	narrow := func(r []string) {
		name := []rune(plain(r[1]))
		if len(name) > most {
			name = append(name[:most-1], '…')
		}
		fmt.Fprintln(w, strings.Join([]string{r[0], string(name), r[3], r[4], r[5], r[6]}, "\t"))
		remarks = append(remarks, plain(r[7]))
	}
	heads := slices.Clone(leakHeads)
	heads[6] = "smallest"
	narrow(heads)
	answers := t.Answers()
	for i, r := range leakRows(answers, t) {
		if still(answers[i]) {
			unmoved++
			continue
		}
		narrow(r)
	}
	_ = w.Flush() // a buffer takes all
	for i, line := range slices.Collect(strings.Lines(rows.String())) {
		fmt.Fprintln(b, strings.TrimRight(line, " \n"))
		if remarks[i] != "" {
			indented(b, "        ", remarks[i])
		}
	}
	return unmoved
}

// tableLeaks writes the same for a terminal, with the first places alone, and without what the kernel held unchanged.
func tableLeaks(b *bytes.Buffer, rec Record) {
	const most = 30
	for _, sc := range rec.Scenarios {
		if sc.Leak == nil {
			continue
		}
		fmt.Fprintf(b, "\n## Leaks: %s\n\n%s\n", plain(sc.Name), wrapped(plain(leakIntro(*sc.Leak)), tableWidth))
		unmoved := tableAnswers(b, *sc.Leak)
		if unmoved > 0 {
			indented(b, "", fmt.Sprintf("none    %d classes of kernel objects are as they were after each cycle (in summary.md)", unmoved))
		}
		lines := leakPlaces(*sc.Leak)
		for _, l := range lines[:min(len(lines), most)] {
			fmt.Fprintln(b, " ", l)
		}
		if more := len(lines) - most; more > 0 {
			fmt.Fprintf(b, "  and %d more lines in summary.md\n", more)
		}
	}
}
