package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// KnownIssue is a bug of some releases of the SUT that is written down: what it makes of packets is excused there, shown and counted.
type KnownIssue struct {
	Name      string     `json:"name"`      // such as "IPv6 routes remade"
	Releases  []Releases `json:"releases"`  // that have it
	Excuses   Violation  `json:"excuses"`   // what is excused: its empty fields match anything
	Reference string     `json:"reference"` // where it is written down
}

// Releases are the releases from one on that come before another.
type Releases struct {
	From   string `json:"from"`
	Before string `json:"before"`
}

// The words of a Violation.
const (
	IPv4    = "IPv4"
	IPv6    = "IPv6"
	Dropped = "dropped"
	Passed  = "passed"
)

// Violation is a row of packets of one flow that met a verdict that was not legal.
type Violation struct {
	Family   string `json:"family,omitempty"`   // IPv4 or IPv6
	Protocol string `json:"protocol,omitempty"` // "TCP" or "UDP"
	Met      string `json:"met,omitempty"`      // Dropped or Passed
	Packets  int    `json:"packets,omitempty"`
	After    string `json:"after,omitempty"` // the change before it, such as "delete pod"
}

// matches reports whether a violation is as a pattern says.
func (v Violation) matches(pattern Violation) bool {
	agrees := func(is, wanted string) bool { return wanted == "" || is == wanted }
	return agrees(v.Family, pattern.Family) && agrees(v.Protocol, pattern.Protocol) && agrees(v.Met, pattern.Met) && agrees(v.After, pattern.After)
}

// PacketCounts says how many packets were judged, and how sharply.
type PacketCounts struct {
	Judged  int `json:"judged"`
	Strict  int `json:"strict"`            // one verdict alone was legal
	Crowded int `json:"crowded,omitempty"` // either was, because so much was under way at once that it was not found out
}

// Excused is what a known issue excuses in a finding.
type Excused struct {
	Issue      string       `json:"issue"`
	Reference  string       `json:"reference,omitempty"`
	Violations int          `json:"violations"`
	Packets    int          `json:"packets"`
	Examples   []Difference `json:"examples,omitempty"`
}

// Violated adds a difference that is a violation: to what is excused if one of the known issues matches, else to the differences that
// decide. Of each at most so many are kept.
func (f *Finding) Violated(d Difference, known []KnownIssue, most int) {
	i := slices.IndexFunc(known, func(k KnownIssue) bool { return d.Violation.matches(k.Excuses) })
	if i < 0 {
		if f.Differing++; len(f.Differences) < most {
			f.Differences = append(f.Differences, d)
		}
		return
	}
	at := slices.IndexFunc(f.Excused, func(e Excused) bool { return e.Issue == known[i].Name })
	if at < 0 {
		at = len(f.Excused)
		f.Excused = append(f.Excused, Excused{Issue: known[i].Name, Reference: known[i].Reference})
	}
	e := &f.Excused[at]
	e.Violations++
	e.Packets += d.Violation.Packets
	if len(e.Examples) < most {
		e.Examples = append(e.Examples, d)
	}
}

// Packets returns how many packets of the scenario were judged, and how sharply.
func (sc Scenario) Packets() PacketCounts {
	var all PacketCounts
	for _, f := range sc.Findings {
		if f.Packets != nil {
			all.Judged, all.Strict, all.Crowded = all.Judged+f.Packets.Judged, all.Strict+f.Packets.Strict, all.Crowded+f.Packets.Crowded
		}
	}
	return all
}

// writePackets writes how sharply the packets of each scenario were judged, as a Markdown table.
func writePackets(b *bytes.Buffer, rec Record) {
	var rows bytes.Buffer
	for _, sc := range rec.Scenarios {
		if p := sc.Packets(); p.Judged > 0 {
			row(&rows, sc.Name, fmt.Sprint(p.Judged), fmt.Sprint(p.Strict), fmt.Sprintf("%.2f %%", 100*float64(p.Strict)/float64(p.Judged)), fmt.Sprint(p.Crowded))
		}
	}
	if rows.Len() > 0 {
		b.WriteString("\n## Packets judged\n\nStrictly: one verdict alone was legal; of the others, either was while changes were under way, or because too much was at once.\n\n")
		b.WriteString("| scenario | judged | strictly | share | too much at once |\n|---|---:|---:|---:|---:|\n")
		b.Write(rows.Bytes())
	}
}

// writeExcused writes what known issues of the SUT's release excused, as a Markdown list.
func writeExcused(b *bytes.Buffer, rec Record) {
	var lines bytes.Buffer
	if rec.Run.Unexcused != "" {
		fmt.Fprintf(&lines, "- %s\n", cell(rec.Run.Unexcused))
	}
	for _, sc := range rec.Scenarios {
		for _, line := range sc.Excused() {
			fmt.Fprintf(&lines, "- %s: %s\n", cell(sc.Name), cell(line))
		}
	}
	if lines.Len() > 0 {
		b.WriteString("\n## Known issues\n\n")
		b.Write(lines.Bytes())
	}
}

// Remarks are what a reader should know of a scenario whatever its verdict.
func (sc Scenario) Remarks() []string {
	lines := sc.Excused()
	for _, f := range sc.Findings {
		if f.Note != "" {
			lines = append(lines, plain(f.title()+": "+f.Note))
		}
	}
	return lines
}

// Excused returns what was excused in the scenario, a line for each known issue, in the order of their names; empty: nothing.
func (sc Scenario) Excused() []string {
	all := map[string]Excused{}
	for _, f := range sc.Findings {
		for _, e := range f.Excused {
			sum := all[e.Issue]
			sum.Reference, sum.Violations, sum.Packets = e.Reference, sum.Violations+e.Violations, sum.Packets+e.Packets
			all[e.Issue] = sum
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		lines = append(lines, plain(fmt.Sprintf("excused by %q (%s): %d violations, %d packets", name, e.Reference, e.Violations, e.Packets)))
	}
	return lines
}
