package sweep

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// WriteAll writes results.csv, summary.md, sweep.html and plots into a sweep's folder.
func (s Sweep) WriteAll(dir string, all []Compared) error {
	errs := []error{
		write(filepath.Join(dir, "results.csv"), s.CSV),
		write(filepath.Join(dir, "summary.md"), func(w io.Writer) error { return s.Markdown(w, all) }),
		write(filepath.Join(dir, "sweep.html"), func(w io.Writer) error { return s.Page(w, all) }),
	}
	taken := map[string]int{}
	for _, p := range s.pictures(all) {
		name := page.FileName(p.title)
		if taken[name]++; taken[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, taken[name])
		}
		errs = append(errs, write(filepath.Join(dir, "plots", name+".svg"), p.Write))
	}
	return errors.Join(errs...)
}

func write(path string, content func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return content(f)
}

// CSV writes every quantity of every cell, a row each: nothing is left out or drawn together.
func (s Sweep) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var heads []string
	for _, a := range s.Plan.Axes {
		heads = append(heads, a.Name)
	}
	_ = c.Write(append(heads, "round", "record", "verdict", "quantity", "of", "unit", "value", "doubt")) // Error tells
	for _, r := range s.Results {
		cell := append(append([]string{}, r.Values...), strconv.Itoa(r.Round), r.Record, r.Verdict.String())
		if len(r.Quantities) == 0 {
			_ = c.Write(append(cell, "", "", "", "", r.Reason))
		}
		for _, q := range r.Quantities {
			_ = c.Write(append(append([]string{}, cell...), q.Name, q.Of, string(q.Unit), strconv.FormatFloat(q.Value, 'g', -1, 64), q.Doubt))
		}
	}
	c.Flush()
	return c.Error()
}

// Markdown writes medians with their ranges, how each quantity grows, and the cells that did not pass.
func (s Sweep) Markdown(w io.Writer, all []Compared) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Sweep of %s\n\n", s.Plan.Scenario)
	for _, line := range s.lead() {
		fmt.Fprintf(&b, "%s  \n", line)
	}
	b.WriteString("\n" + report.NotesMarkdown(s.Notes))
	b.WriteString("Medians; in brackets the smallest and the largest of the rounds.\n")
	for _, t := range s.blocks(all, true) {
		if t.title != "" {
			fmt.Fprintf(&b, "\n**%s**\n", t.title)
		}
		b.WriteString("\n")
		for i, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|---|%s\n", strings.Repeat("---:|", len(row)-1))
			}
		}
	}
	for i, l := range s.growths(all) {
		if i == 0 {
			b.WriteString("\nGrowth, fitted to the medians:\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", l)
	}
	if text := b.String(); strings.Contains(text, " "+doubtful) || strings.Contains(text, " "+broken) {
		b.WriteString("\n" + marksMean + ".\n")
	}
	for i, l := range s.trouble() {
		if i == 0 {
			b.WriteString("\nCells that did not pass:\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", report.Markdown(l))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lead says what was swept, on what.
func (s Sweep) lead() []string {
	words := []string{fmt.Sprintf("%d of %d cells, seed %d", len(s.Results), len(s.Plan.Cells()), s.Plan.Seed)}
	if s.Agent != "" {
		words = append(words, s.Agent)
	}
	if s.Machine != "" {
		words = append(words, s.Machine)
	}
	words = append(words, s.Command)
	return words
}

// trouble tells the cells that did not pass.
func (s Sweep) trouble() (lines []string) {
	for _, r := range s.Results {
		if v := r.Verdict.String(); v != "pass" {
			lines = append(lines, fmt.Sprintf("%s: %s: %s (%s)", s.Plan.Words(r.Cell), v, r.Reason, r.Record))
		}
	}
	return lines
}
