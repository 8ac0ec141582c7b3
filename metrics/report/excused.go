package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Excused is what a known issue excuses in a finding.
type Excused struct {
	Issue      string       `json:"issue"`               // its name
	Reference  string       `json:"reference,omitempty"` // where it is written down
	Violations int          `json:"violations"`          // how many
	Packets    int          `json:"packets"`             // how many met a wrong verdict, in all of these violations
	Routes     int          `json:"routes,omitempty"`    // how many host routes were missing for a while
	Examples   []Difference `json:"examples,omitempty"`  // at most 50 of them
}

// writeExcused writes what known issues of the SUT's release excused, as a Markdown list.
func writeExcused(b *bytes.Buffer, rec Record) {
	lines := rec.known()
	if len(lines) > 0 {
		b.WriteString("\n## Known issues\n\n")
	}
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", cell(line))
	}
}

// known says what known issues of the SUT's release excused, and why something was not, a line each.
func (rec Record) known() []string {
	var lines []string
	if rec.Run.Unexcused != "" {
		lines = append(lines, plain(rec.Run.Unexcused))
	}
	for _, sc := range rec.Scenarios {
		if sc.Unexcused != "" {
			lines = append(lines, plain(sc.Name+": "+sc.Unexcused))
		}
		for _, e := range sc.Excused() {
			lines = append(lines, plain(sc.Name)+": "+e.String())
		}
	}
	return lines
}

// Remarks are what a reader should know of a scenario whatever its verdict.
func (sc Scenario) Remarks() []string {
	var lines []string
	for _, e := range sc.Excused() {
		lines = append(lines, e.String())
	}
	for _, f := range sc.Findings {
		if f.Note != "" {
			lines = append(lines, plain(f.title()+": "+f.Note))
		}
	}
	return lines
}

// Excused returns what was excused in the scenario, without examples, in the order of the issues' names.
func (sc Scenario) Excused() []Excused {
	sums := map[string]Excused{}
	for _, f := range sc.Findings {
		for _, e := range f.Excused {
			sum := sums[e.Issue]
			sum.Issue, sum.Reference = e.Issue, e.Reference
			sum.add(e)
			sums[e.Issue] = sum
		}
	}
	var all []Excused
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, sums[name])
	}
	return all
}

// add adds the counts of another.
func (e *Excused) add(o Excused) {
	e.Violations, e.Packets, e.Routes = e.Violations+o.Violations, e.Packets+o.Packets, e.Routes+o.Routes
}

// String tells what is excused in one line.
func (e Excused) String() string {
	return plain(fmt.Sprintf("excused by %q (%s): %s", e.Issue, e.Reference, e.what()))
}

func (e Excused) what() string {
	var what []string
	if e.Violations > 0 {
		what = append(what, counted(e.Violations, "violation"), counted(e.Packets, "packet"))
	}
	if e.Routes > 0 {
		what = append(what, counted(e.Routes, "route")+" missing for a while")
	}
	return strings.Join(what, ", ")
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
