package mutants

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	width  = 80  // of a terminal
	quoted = 230 // characters of a first line told: three lines of a terminal
)

// Line tells a row in a line of a terminal, and below it what was told first.
func (r Row) Line() string {
	s := fmt.Sprintf("%-10s %-32s %-22s %6s %s", r.class(), cut(r.Mutant, 32), cut(r.by(), 22), r.after(), r.cause())
	s = strings.TrimRight(s, " ")
	if r.Told != "" {
		s += "\n" + wrap("  "+cut(r.Told, quoted))
	}
	return s
}

// Heading stands over the lines.
func Heading() string {
	return strings.TrimRight(fmt.Sprintf("%-10s %-32s %-22s %6s %s", "CLASS", "MUTANT", "CAUGHT BY", "AFTER", "CAUSE"), " ")
}

func (r Row) class() string {
	if r.Class == "" {
		return "–"
	}
	return string(r.Class)
}

// by says what caught the row's mutant.
func (r Row) by() string {
	switch {
	case r.Class == "" && r.Outcome == Escaped:
		return "nothing, as it must be"
	case r.Outcome == Escaped && !r.Passed:
		return "escaped, never run"
	case r.Outcome != Caught:
		return string(r.Outcome)
	case r.Stage == Set && r.Scenario != "":
		return "set: " + r.Scenario
	}
	return string(r.Stage)
}

func (r Row) after() string {
	if r.Outcome != Caught {
		return "–"
	}
	return fmt.Sprintf("%.0f s", r.After.Seconds())
}

func (r Row) cause() string {
	switch {
	case r.Outcome != Caught:
		return ""
	case r.Named:
		return "yes"
	}
	return "no"
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// Report is a whole table.
type Report struct {
	Head  Head  `json:"head"`
	Rows  []Row `json:"rows"`
	Score Score `json:"score"`
}

// NewReport orders the rows as the table of mutants is, the control before all, and counts them. Rows of mutants that are no more
// are left out.
func NewReport(h Head, t Table, rows []Row) Report {
	r := Report{Head: h}
	for _, m := range append([]Mutant{{Name: Control}}, t.Mutants...) {
		for _, row := range rows {
			if row.Mutant == m.Name && row.Digest == m.Digest() {
				row.Judge(m)
				r.Rows = append(r.Rows, row)
			}
		}
	}
	r.Score = NewScore(r.Rows)
	return r
}

// Trouble says why the table is not to be relied on: rows without a verdict, or a control that did not pass.
func (r Report) Trouble() error {
	var errs []error
	for _, row := range r.Rows {
		switch {
		case row.Outcome == Inconclusive:
			errs = append(errs, fmt.Errorf("%s has no verdict: %s", row.Mutant, row.Told))
		case row.Mutant == Control && row.Outcome == Caught:
			errs = append(errs, fmt.Errorf("the SUT without a mutant did not pass: %s", row.Told))
		}
	}
	return errors.Join(errs...)
}

// Write puts the table into dir, as mutants.json and as mutants.md.
func (r Report) Write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "mutants.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	var b bytes.Buffer
	r.markdown(&b)
	return os.WriteFile(filepath.Join(dir, "mutants.md"), b.Bytes(), 0o644)
}

// Terminal writes the table's score in lines of 80 characters.
func (s Score) Terminal() string {
	var b strings.Builder
	for _, l := range s.Lines() {
		b.WriteString(wrap(l) + "\n")
	}
	return b.String()
}

// wrap breaks a line between its words so that it fits; the lines after the first are indented.
func wrap(s string) string {
	var lines []string
	for runes := []rune(s); len(runes) > 0; {
		end := len(runes)
		if end > width {
			end = width
			for end > width/2 && runes[end] != ' ' {
				end--
			}
		}
		lines = append(lines, strings.TrimRight(string(runes[:end]), " "))
		rest := strings.TrimLeft(string(runes[end:]), " ")
		if runes = nil; rest != "" {
			runes = []rune("  " + rest)
		}
	}
	return strings.Join(lines, "\n")
}

var escape = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`)

// wholeMinutes is how a duration ends that has no seconds.
var wholeMinutes = regexp.MustCompile(`m0s$`)

func (r Report) markdown(b *bytes.Buffer) {
	h := r.Head
	var stages []string
	for _, s := range h.Stages {
		if s == Fuzz {
			stages = append(stages, "fuzz for "+wholeMinutes.ReplaceAllString(h.FuzzFor.Round(time.Second).String(), "m"))
			continue
		}
		stages = append(stages, string(s))
	}
	fmt.Fprintf(b, "Target %s, data plane %s, runtime %s, seed %d; stages: %s.\n\n", h.Target, h.DataPlane, h.Runtime, h.Seed, strings.Join(stages, ", "))
	for _, l := range r.Score.Lines() {
		fmt.Fprintf(b, "- %s\n", escape.Replace(l))
	}
	b.WriteString("\n| class | mutant | the bug | caught by | after | the first line told | names the cause |\n|---|---|---|---|---:|---|---|\n")
	for _, row := range r.Rows {
		bug := row.Bug
		if row.Why != "" {
			bug += "; equivalent: " + row.Why
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", row.class(), row.Mutant, escape.Replace(bug), escape.Replace(row.by()), row.after(),
			escape.Replace(cut(row.Told, quoted)), row.cause())
	}
}
