package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// HTML is the run as a page to look at, which needs nothing besides itself.
type HTML struct{}

// File returns "report.html".
func (HTML) File() string { return "report.html" }

// Write writes the page.
func (HTML) Write(w io.Writer, rec Record) error {
	p := page.Page{
		Run: plain(rec.Run.ID), Verdict: rec.Verdict.String(), Reason: plain(rec.Reason),
		Lead: rec.lead(), Degraded: plain(rec.degradedPage()), Degradations: rec.degradations(), Counts: rec.counts(), Remarks: rec.known(), Notes: TellNotes(rec.Notes), Facts: append(rec.facts(), rec.environment()...), Whole: rec.whole(),
	}
	p.Series, p.Note = rec.series()
	own, shared := rec.rows(rec.worstFirst())
	for _, i := range own {
		p.Scenarios = append(p.Scenarios, rec.shown(i))
	}
	for _, s := range shared {
		p.Skipped = append(p.Skipped, page.Skips{Title: s.title(), Verdict: metrics.Skip.String(), Reason: plain(s.reason), Names: plain(strings.Join(s.names, ", "))})
	}
	for _, e := range rec.strays() {
		p.Strays = append(p.Strays, rec.death(e))
	}
	for _, t := range rec.measured() {
		p.Measured = append(p.Measured, t.shown())
	}
	return p.Write(w)
}

// began is when the times of the page are 0.
func (rec Record) began() time.Time {
	switch {
	case !rec.Run.Started.IsZero():
		return rec.Run.Started
	case len(rec.Scenarios) > 0:
		return rec.Scenarios[0].Started
	case len(rec.Points) > 0:
		return rec.Points[0].At
	}
	return time.Time{}
}

func (rec Record) since(t time.Time) page.Seconds {
	return page.Seconds(t.Sub(rec.began()).Seconds())
}

// worstFirst returns the indexes of the scenarios: those that failed, those that are inconclusive, all others, each in their order.
func (rec Record) worstFirst() []int {
	order := rec.inOrder()
	rank := func(i int) int {
		switch rec.Scenarios[i].Verdict {
		case metrics.Fail:
			return 0
		case metrics.Inconclusive:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

func (rec Record) lead() []string {
	r := rec.Run
	words := []string{plain(strings.TrimSpace(r.Target + " " + brief(r.Versions[r.Target]))), plain(r.Runtime), fmt.Sprintf("seed %d", r.Seed)}
	if !r.Started.IsZero() {
		words = append(words, r.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if !r.Ended.IsZero() {
		words = append(words, "took "+short(r.Ended.Sub(r.Started)))
	} else {
		words = append(words, "its end was not recorded")
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// brief is the first word of a version: of a binary that was given, where it lies and what it is follow.
func brief(version string) string {
	first, _, _ := strings.Cut(version, " ")
	return first
}

func (rec Record) counts() []page.Count {
	n := map[metrics.Verdict]int{}
	for _, sc := range rec.Scenarios {
		n[sc.Verdict]++
	}
	var counts []page.Count
	for _, v := range []metrics.Verdict{metrics.Fail, metrics.Inconclusive, metrics.Pass, metrics.Skip} {
		if n[v] > 0 {
			counts = append(counts, page.Count{Verdict: v.String(), N: n[v]})
		}
	}
	return counts
}

// facts says what was run, with what and where, and how well it was watched.
func (rec Record) facts() []page.Fact {
	r, m := rec.Run, rec.Run.Machine
	facts := []page.Fact{
		{Name: "run", Value: r.ID}, {Name: "seed", Value: fmt.Sprint(r.Seed)}, {Name: "command", Value: strings.ReplaceAll(r.Command, " --focus "+Focus, "")},
		{Name: "target", Value: r.Target}, {Name: "runtime", Value: r.Runtime},
	}
	add := func(kind string, all map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			facts = append(facts, page.Fact{Name: kind + name, Value: all[name]})
		}
	}
	add("version of ", r.Versions)
	add("parameter ", r.Parameters)
	if m.CPUs > 0 {
		facts = append(facts, page.Fact{Name: "machine", Value: fmt.Sprintf("%d × %s, %s, %s", m.CPUs, m.CPU, metrics.CgroupBytes.Format(float64(m.MemoryBytes)), m.Arch)},
			page.Fact{Name: "system", Value: m.OS + ", kernel " + m.Kernel}, page.Fact{Name: "engine", Value: m.Engine})
	}
	facts = append(facts,
		page.Fact{Name: "validity", Value: validityWord(rec.Validity)}, page.Fact{Name: "driver and machine", Value: rec.Watched()},
		page.Fact{Name: "known issues", Value: rec.Issues()}, page.Fact{Name: "samples", Value: rec.sampled()},
	)
	if measured := rec.believed(); measured != "" {
		facts = append(facts, page.Fact{Name: "measurements", Value: measured})
	}
	for i := range facts {
		facts[i].Value = plain(facts[i].Value)
	}
	return slices.DeleteFunc(facts, func(f page.Fact) bool { return f.Value == "" })
}

// degradedPage says what it means that the run is degraded; empty: it is not.
func (rec Record) degradedPage() string {
	if !Degraded(rec.Validity) {
		return ""
	}
	return strings.TrimPrefix(rec.degradedRun(), degraded)
}

// sampled says how many points there are, and how many of them lack something.
func (rec Record) sampled() string {
	gaps := 0
	for _, p := range rec.Points {
		if len(p.Gaps) > 0 {
			gaps++
		}
	}
	return fmt.Sprintf("%d, of which %d lack something that could not be read", len(rec.Points), gaps)
}

// believed says how many measurements are not to be believed; empty if nothing was measured.
func (rec Record) believed() string {
	all, doubted := 0, 0
	for _, t := range rec.measured() {
		for _, m := range t.rows {
			all++
			if m.Doubt() != "" {
				doubted++
			}
		}
	}
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%d, of which %d are invalid", all, doubted)
}

// shown returns what of a measurement is on the page.
func (t measured) shown() page.Measured {
	shown := page.Measured{Title: plain(t.title()), Doc: plain(t.intro()), Strips: t.strips()}
	heads, labels := t.columns()
	for i, h := range heads {
		shown.Heads = append(shown.Heads, page.Head{Text: plain(h), Number: i >= labels && i < len(heads)-1})
	}
	for _, m := range t.rows {
		cells := t.cells(m)
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		shown.Rows = append(shown.Rows, cells)
	}
	return shown
}
