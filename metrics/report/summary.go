package report

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Summary is for people: what was run, what became of it, and all that is needed to look into what failed. It is made for where GitHub shows it: one
// table, and what is long is folded.
type Summary struct{}

// File returns "summary.md".
func (Summary) File() string { return "summary.md" }

// Write writes Markdown.
func (Summary) Write(w io.Writer, rec Record) error {
	var b bytes.Buffer
	writeHead(&b, rec)
	b.WriteString(NotesMarkdown(rec.Notes))
	writeTable(&b, rec)
	for _, i := range rec.worstFirst() {
		if sc := rec.Scenarios[i]; sc.broken() {
			writeFailed(&b, rec, sc)
		}
	}
	if strays := rec.strays(); len(strays) > 0 {
		b.WriteString("\n## Outside of all scenarios\n")
		for _, e := range strays {
			fence(&b, "text", e.lines(rec.Run.Target))
		}
	}
	writeExcused(&b, rec)
	writeLeaks(&b, rec)
	fold(&b, "Packets judged", func(b *bytes.Buffer) { writePackets(b, rec) })
	for _, t := range rec.measured() {
		fold(&b, t.title(), t.markdown)
	}
	fold(&b, "Occupancy", func(b *bytes.Buffer) { writeOccupancy(b, rec) })
	fold(&b, "What bounds a load here", func(b *bytes.Buffer) { writeEnvironment(b, rec) })
	fold(&b, "Machine and versions", func(b *bytes.Buffer) { writeMachine(b, rec) })
	_, err := w.Write(b.Bytes())
	return err
}

func writeHead(b *bytes.Buffer, rec Record) {
	r := rec.Run
	fmt.Fprintf(b, "# Run %s: %s\n\n", cell(r.ID), rec.Verdict)
	if rec.Reason != "" {
		fmt.Fprintf(b, "%s\n\n", cell(rec.Reason))
	}
	if Degraded(rec.Validity) {
		fmt.Fprintf(b, "**%s**\n\n", cell(rec.degradedRun()))
		fold(b, "Why which is degraded", func(b *bytes.Buffer) { fence(b, "text", rec.degradations()) })
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "- target %s, runtime %s, seed %d\n", cell(r.Target), cell(r.Runtime), r.Seed)
	fmt.Fprintf(b, "- began %s", r.Started.UTC().Format(time.RFC3339))
	if !r.Ended.IsZero() {
		fmt.Fprintf(b, ", took %s", short(r.Ended.Sub(r.Started)))
	}
	b.WriteString("\n\n")
}

// writeTable writes a row for each scenario, those that did not pass first, and in words which held and used most.
func writeTable(b *bytes.Buffer, rec Record) {
	b.WriteString("| verdict | scenario | duration | heap | RSS | CPU | reason |\n|---|---|---:|---:|---:|---:|---|\n")
	own, shared := rec.rows(rec.worstFirst())
	for _, i := range own {
		sc := rec.Scenarios[i]
		verdict := sc.Verdict.String()
		if sc.broken() {
			verdict = "**" + verdict + "**"
		}
		if Degraded(sc.Validity) {
			verdict += ", degraded"
		}
		o, reason := rec.occupancy(sc), sc.Reason
		if sc.broken() {
			reason = "see below"
		}
		b.WriteString("| " + verdict + " ")
		row(b, sc.Name, short(sc.Duration()), reading(o.peak, metrics.HeapBytes), reading(o.peak, metrics.RSSBytes), reading(o.used, metrics.CPUSeconds), reason)
	}
	for _, s := range shared {
		row(b, metrics.Skip.String(), s.title(), "–", unknown, unknown, unknown, s.reason)
	}
	if most := rec.most(); most != "" {
		fmt.Fprintf(b, "\n%s Heap and RSS are peaks under load, CPU is what was used during the scenario, children included.\n", cell(most))
	}
	fold(b, "Scenarios that were skipped for the same reason", func(b *bytes.Buffer) {
		for _, s := range shared {
			fmt.Fprintf(b, "\n- %s: %s", cell(s.reason), cell(strings.Join(s.names, ", ")))
		}
	})
}

// most tells in words in which scenario each gauge of the table was highest at any time; empty if none was read.
func (rec Record) most() string {
	var told []string
	for _, g := range []metrics.Gauge{metrics.HeapBytes, metrics.RSSBytes} {
		high, where := 0.0, ""
		for _, p := range rec.Points {
			if v, ok := p.Values[g]; ok && p.Scenario != "" && v > high {
				high, where = v, p.Scenario
			}
		}
		if where != "" {
			told = append(told, fmt.Sprintf("%s was highest in %q: %s.", cmp.Or(titles[g], "Heap"), where, g.Format(high)))
		}
	}
	return strings.Join(told, " ")
}

func writeMachine(b *bytes.Buffer, rec Record) {
	r := rec.Run
	b.WriteByte('\n')
	if m := r.Machine; m.CPUs > 0 {
		fmt.Fprintf(b, "- on %s %s, kernel %s, %d × %s, %s\n", cell(m.OS), cell(m.Arch), cell(m.Kernel), m.CPUs, cell(m.CPU), metrics.CgroupBytes.Format(float64(m.MemoryBytes)))
	}
	if watched := rec.Watched(); watched != "" {
		fmt.Fprintf(b, "- figures are %s: %s\n", cell(validityWord(rec.Validity)), cell(watched))
	}
	list(b, "versions", r.Versions)
	list(b, "parameters", r.Parameters)
	if logs := rec.logs(); len(logs) > 0 {
		fmt.Fprintf(b, "- logs: %s\n", links(logs))
	}
}

// fold writes what a reader has to unfold, if there is any.
func fold(b *bytes.Buffer, title string, write func(*bytes.Buffer)) {
	var body bytes.Buffer
	if write(&body); len(bytes.TrimSpace(body.Bytes())) > 0 {
		fmt.Fprintf(b, "\n<details><summary>%s</summary>\n%s\n</details>\n", html.EscapeString(plain(title)), body.String())
	}
}

func list(b *bytes.Buffer, title string, m map[string]string) {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, cell(k+" "+m[k]))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "- %s: %s\n", title, strings.Join(parts, ", "))
	}
}

func writeFailed(b *bytes.Buffer, rec Record, sc Scenario) {
	fmt.Fprintf(b, "\n## %s: %s\n\n%s\n", cell(sc.Name), sc.Verdict, cell(sc.Reason))
	if sc.Doc != "" {
		fmt.Fprintf(b, "\nWhat it does: %s\n", cell(sc.Doc))
	}
	if files := rec.diagnostics(sc.Name); len(files) > 0 {
		fmt.Fprintf(b, "\nDiagnostics, taken when it failed: %s\n", links(files))
	}
	if lines := rec.details(sc); len(lines) > 0 {
		b.WriteString("\n<details open><summary>What was found</summary>\n")
		fence(b, "text", lines)
		b.WriteString("\n</details>\n")
	}
	if cmd := rec.Run.Repeat(sc.Name); cmd != "" {
		b.WriteString("\nTo repeat it:\n")
		fence(b, "sh", []string{plain(cmd)})
	}
}

func row(b *bytes.Buffer, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + cell(c) + " ")
	}
	b.WriteString("|\n")
}

var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "&", "&amp;", "<", "&lt;", "~", `\~`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`)

// Markdown is a line of text as Markdown shows it as it is.
func Markdown(s string) string { return cell(s) }

// cell makes one line of text that Markdown shows as it is.
func cell(s string) string { return markdown.Replace(plain(s)) }

func fence(b *bytes.Buffer, language string, lines []string) {
	body := strings.Join(lines, "\n")
	mark := "```"
	for strings.Contains(body, mark) {
		mark += "`"
	}
	fmt.Fprintf(b, "\n%s%s\n%s\n%s\n", mark, language, body, mark)
}
