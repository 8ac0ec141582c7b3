package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Summary is for people: what was run, what became of it, and all that is needed to look into what failed.
type Summary struct{}

// File returns "summary.md".
func (Summary) File() string { return "summary.md" }

// Write writes Markdown.
func (Summary) Write(w io.Writer, rec Record) error {
	var b bytes.Buffer
	writeHead(&b, rec)
	b.WriteString("| verdict | scenario | duration | reason |\n|---|---|---:|---|\n")
	for _, sc := range rec.Scenarios {
		reason := sc.Reason
		if sc.broken() {
			reason = "see below"
		}
		row(&b, sc.Verdict.String(), sc.Name, short(sc.Duration()), reason)
	}
	for _, sc := range rec.Scenarios {
		if sc.broken() {
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
	writePackets(&b, rec)
	writeOccupancy(&b, rec)
	for _, t := range rec.measured() {
		t.markdown(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeHead(b *bytes.Buffer, rec Record) {
	r, m := rec.Run, rec.Run.Machine
	fmt.Fprintf(b, "# Run %s: %s\n\n", cell(r.ID), rec.Verdict)
	if rec.Reason != "" {
		fmt.Fprintf(b, "%s\n\n", cell(rec.Reason))
	}
	fmt.Fprintf(b, "- target %s, runtime %s, seed %d\n", cell(r.Target), cell(r.Runtime), r.Seed)
	fmt.Fprintf(b, "- began %s", r.Started.UTC().Format(time.RFC3339))
	if !r.Ended.IsZero() {
		fmt.Fprintf(b, ", took %s", short(r.Ended.Sub(r.Started)))
	}
	fmt.Fprintf(b, "\n- on %s %s, kernel %s, %d × %s, %s\n", cell(m.OS), cell(m.Arch), cell(m.Kernel), m.CPUs, cell(m.CPU),
		metrics.CgroupBytes.Format(float64(m.MemoryBytes)))
	list(b, "versions", r.Versions)
	list(b, "parameters", r.Parameters)
	if logs := rec.logs(); len(logs) > 0 {
		fmt.Fprintf(b, "- logs: %s\n", links(logs))
	}
	b.WriteByte('\n')
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
		fence(b, "text", lines)
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

var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`)

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
