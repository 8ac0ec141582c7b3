package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// plottable is how many points a scenario must have for plots of its own; those of shorter ones are part of the run's.
const plottable = 20

// plot is a picture in a file of its own.
type plot struct {
	file string
	draw func(io.Writer) error
}

// File returns a name below "plots".
func (p plot) File() string { return p.file }

// Write writes SVG.
func (p plot) Write(w io.Writer, _ Record) error { return p.draw(w) }

// fileNames gives files names of their own: two scenarios, or two tables of measurements, may have one.
type fileNames map[string]bool

func (taken fileNames) of(name string) string {
	name = page.FileName(name)
	own := name
	for n := 2; taken[own]; n++ {
		own = fmt.Sprintf("%s-%d", name, n)
	}
	taken[own] = true
	return own
}

// plots returns a picture of each series of the run and of each longer scenario, of the readings of each search for leaks, and of each distribution.
func plots(rec Record) []Format {
	points, _ := rec.series()
	whole := rec.whole()
	var all []Format
	folders, files := fileNames{}, fileNames{}
	if whole != nil {
		all = append(all, charts(folders.of("run"), rec.Run.ID, points, whole)...)
	}
	for _, sc := range rec.Scenarios {
		if sc.Skipped == "" && len(rec.pointsOf(sc)) >= plottable {
			all = append(all, charts(folders.of(sc.Name), sc.Name, points, rec.timeline(sc))...)
		}
	}
	for _, sc := range rec.Scenarios {
		if sc.Leak == nil {
			continue
		}
		for _, r := range leakReadings(*sc.Leak) {
			all = append(all, plot{"plots/" + files.of("readings-"+sc.Name+"-"+r.Name) + ".svg", r.Write})
		}
	}
	for _, t := range rec.measured() {
		if s := t.strips(); s != nil {
			all = append(all, plot{"plots/" + files.of(t.Name) + ".svg", s.Write})
		}
	}
	return all
}

// charts returns a picture of each series that has values within a timeline.
func charts(folder, title string, points page.Points, line *page.Timeline) []Format {
	var all []Format
	for _, s := range points.Series {
		cut := part(points, s, line.From, line.To)
		if len(cut.Times) == 0 {
			continue
		}
		c := page.Chart{Title: plain(s.Title + ": " + title), Unit: s.Unit, Points: cut, From: line.From, To: line.To, Marks: line.Marks}
		if s.Unit == "cores" {
			c.Title = plain(s.Title + ", cores: " + title)
		}
		all = append(all, plot{fmt.Sprintf("plots/%s/%s.svg", folder, page.FileName(s.Name)), c.Write})
	}
	return all
}

// part returns a series alone, from one time to another; without times if it has no value there.
func part(points page.Points, s page.Series, from, to page.Seconds) page.Points {
	cut, any := page.Points{Began: points.Began}, false
	moved := map[int]int{}
	values := page.Values{}
	for i, t := range points.Times {
		if t < from || t > to {
			continue
		}
		moved[i] = len(cut.Times)
		cut.Times, values = append(cut.Times, t), append(values, s.Values[i])
		any = any || !math.IsNaN(s.Values[i])
	}
	if !any {
		return page.Points{}
	}
	for _, i := range points.Settled {
		if at, in := moved[i]; in {
			cut.Settled = append(cut.Settled, at)
		}
	}
	for _, i := range points.Gaps {
		if at, in := moved[i]; in {
			cut.Gaps = append(cut.Gaps, at)
		}
	}
	s.Values = values
	cut.Series = []page.Series{s}
	return cut
}

// strips returns the distributions of what was measured, if most rows of the table have values to show. Values of the last label stand side by
// side where it has two.
func (t measured) strips() *page.Strips {
	some := 0
	var last []string
	for _, m := range t.rows {
		if m.N() > 1 {
			some++
		}
		if n := len(m.Labels); n > 0 && !slices.Contains(last, m.Labels[n-1].Value) {
			last = append(last, m.Labels[n-1].Value)
		}
	}
	if 2*some < len(t.rows) || some < 2 {
		return nil
	}
	unit, _ := t.Unit.Shown()
	s := &page.Strips{Title: plain(t.title()), Unit: unit, Columns: []string{""}}
	if len(last) == 2 {
		slices.Sort(last)
		s.Columns = []string{plain(last[0]), plain(last[1])}
	}
	for _, m := range t.rows {
		var words []string
		for _, l := range m.Labels {
			words = append(words, l.Value)
		}
		column := 0
		if len(last) == 2 {
			column = slices.Index(last, words[len(words)-1])
			words = words[:len(words)-1]
		}
		s.Add(plain(strings.Join(words, ", ")), column, spread(m), m.Doubt())
	}
	return s
}

// spread returns the values in the unit in which they are shown, in ascending order: all of them or, of many, quantiles.
func spread(m metrics.Measurement) page.Values {
	const most = 200
	_, factor := m.Unit.Shown()
	n := min(m.N(), most)
	values := make(page.Values, 0, n)
	for i := range n {
		values = append(values, factor*m.Quantile(float64(i+1)/float64(n)))
	}
	return values
}
