package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nodefv/nodefv/metrics"
)

// tableWidth is how many columns the sentences of a table take at most.
const tableWidth = 80

// Table writes the run's outcome for a terminal: a line per scenario or for those alike, then each failure with the place of its evidence and the command
// that repeats it, then what was measured, and last the verdict. The record is that in dir.
func Table(w io.Writer, rec Record, dir string) error {
	var out bytes.Buffer
	tableRows(&out, rec)
	tableExcused(&out, rec)
	tableLeaks(&out, rec)
	for _, t := range rec.measured() {
		t.text(&out)
	}
	for _, sc := range rec.Scenarios {
		if sc.broken() {
			tableFailure(&out, rec, sc, dir)
		}
	}
	tableDegraded(&out, rec)
	if out.Len() > 0 {
		out.WriteString("\n")
	}
	out.WriteString(wrapped(fmt.Sprintf("%s: %s", rec.Verdict, plain(cmp.Or(rec.Reason, "no reason given"))), tableWidth))
	_, err := w.Write(out.Bytes())
	return err
}

// tableRows writes a line per scenario, one for all that were skipped for the same reason, and below it what else should be known of it.
func tableRows(out *bytes.Buffer, rec Record) {
	if len(rec.Scenarios) == 0 { // it was cut short before the first
		return
	}
	var rows bytes.Buffer
	t := tabwriter.NewWriter(&rows, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VERDICT\tSCENARIO\tTIME\tFACTS\tPEAK HEAP\tPEAK RSS\tCPU")
	own, shared := rec.rows(rec.inOrder())
	for _, i := range own {
		sc := rec.Scenarios[i]
		o, facts := rec.occupancy(sc), unknown
		if n := sc.facts(); n > 0 {
			facts = fmt.Sprint(n)
		}
		verdict := sc.Verdict.String()
		if Degraded(sc.Validity) {
			verdict += ", degraded"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", verdict, plain(sc.Name), short(sc.Duration()), facts,
			reading(o.peak, metrics.HeapBytes), reading(o.peak, metrics.RSSBytes), reading(o.used, metrics.CPUSeconds))
	}
	for _, s := range shared {
		fmt.Fprintf(t, "%s\t%s\t–\t%s\t%s\t%s\t%s\n", metrics.Skip, s.title(), unknown, unknown, unknown, unknown)
	}
	_ = t.Flush() // a buffer takes all
	lines := strings.Split(rows.String(), "\n")
	fmt.Fprintln(out, lines[0])
	for n, i := range own {
		sc := rec.Scenarios[i]
		fmt.Fprintln(out, strings.TrimRight(lines[n+1], " "))
		if sc.Verdict == metrics.Skip {
			indented(out, "  ", sc.Reason)
		}
		for _, f := range sc.Findings {
			if f.Note != "" && f.broken() == "" {
				indented(out, "  ", f.title()+": "+f.Note)
			}
		}
	}
	for n, s := range shared {
		fmt.Fprintln(out, strings.TrimRight(lines[len(own)+n+1], " "))
		indented(out, "  ", s.reason+"; summary.md has their names")
	}
}

// tableExcused writes what known issues excused, for a terminal.
func tableExcused(out *bytes.Buffer, rec Record) {
	lines := rec.known()
	if len(lines) > 0 {
		out.WriteString("\n## Known issues\n\n")
	}
	for _, line := range lines {
		for i, part := range slices.Collect(strings.Lines(wrapped(line, tableWidth-2))) {
			out.WriteString([]string{"- ", "  "}[min(i, 1)] + part)
		}
	}
}

// tableDegraded says which scenarios are degraded, and of the first of them why.
func tableDegraded(out *bytes.Buffer, rec Record) {
	const most = 3
	if !Degraded(rec.Validity) {
		return
	}
	out.WriteString("\n" + wrapped(plain(rec.degradedRun()), tableWidth))
	lines := rec.degradations()
	for _, line := range lines[:min(len(lines), most)] {
		indented(out, "  ", line)
	}
	if more := len(lines) - most; more > 0 {
		fmt.Fprintf(out, "  and %d more in summary.md\n", more)
	}
}

// facts is how many facts were compared in the scenario.
func (sc Scenario) facts() (n int) {
	for _, f := range sc.Findings {
		n += f.Facts
	}
	return n
}

// tableFailure tells why a scenario did not pass, where to look, and how it is repeated.
func tableFailure(out *bytes.Buffer, rec Record, sc Scenario, dir string) {
	fmt.Fprintf(out, "\n%s: %s\n", sc.Verdict, plain(sc.Name))
	indented(out, "  ", sc.Reason)
	if len(rec.diagnostics(sc.Name)) > 0 {
		fmt.Fprintf(out, "  look at  %s\n", shell(filepath.Join(dir, diagnosticsDir, sc.Name)))
	}
	if rec.Run.Command != "" {
		fmt.Fprintf(out, "  repeat   %s\n", plain(rec.Run.Repeat(sc.Name)))
	}
}

// indented writes a text in lines that fit, each after an indent.
func indented(out *bytes.Buffer, indent, text string) {
	for line := range strings.Lines(wrapped(plain(text), tableWidth-len(indent))) {
		out.WriteString(indent + line)
	}
}

// shell is a word that a shell takes as it is.
func shell(word string) string {
	if strings.ContainsAny(word, " '\"\\$`&|;<>()*?[]#~!{}") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
