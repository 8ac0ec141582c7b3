package sweep

import (
	"html/template"
	"io"
	"math"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// picture is a plot with the words that name it.
type picture struct {
	title string
	drawn interface {
		Inline() template.HTML
		Write(io.Writer) error
	}
}

func (p picture) Write(w io.Writer) error { return p.drawn.Write(w) }

// pictures are a curve of each quantity with one axis, a heat map with two.
func (s Sweep) pictures(all []Compared) []picture {
	var pictures []picture
	axes := s.Plan.Axes
	for _, c := range all {
		if len(axes) == 1 {
			if dots := c.dots(axes[0].numbers()); len(dots) > 1 {
				pictures = append(pictures, picture{c.Title(), page.Curve{Title: c.Title(), Unit: c.Unit, Axis: axes[0].Name, Dots: dots}})
			}
			continue
		}
		h := page.Heat{Title: c.Title(), Unit: c.Unit, Down: axes[0].Name, Across: axes[1].Name, Labels: axes[0].Values, Heads: axes[1].Values}
		for i := range axes[0].Values {
			var row []page.Dot
			for j := range axes[1].Values {
				p := c.Points[i*len(axes[1].Values)+j]
				row = append(row, page.Dot{Low: p.Low, Median: p.Median, Top: p.Top, Doubt: p.Doubt})
			}
			h.Cells = append(h.Cells, row)
		}
		pictures = append(pictures, picture{c.Title(), h})
	}
	return pictures
}

// Page writes the sweep as a page to look at, which needs nothing besides itself.
func (s Sweep) Page(w io.Writer, all []Compared) error {
	p := page.Sheet{Title: "Sweep of " + s.Plan.Scenario, Verdict: s.Verdict().String(), Lead: s.lead(), Notes: report.TellNotes(s.Notes), Remarks: s.growths(all), Trouble: s.trouble(), Marks: marksMean}
	for _, b := range s.blocks(all, true) {
		t := page.SheetTable{Title: b.title, Rows: b.rows[1:]}
		for i, head := range b.rows[0] {
			t.Heads = append(t.Heads, page.Head{Text: head, Number: i > 0})
		}
		p.Tables = append(p.Tables, t)
	}
	for _, pic := range s.pictures(all) {
		p.Pictures = append(p.Pictures, pic.drawn.Inline())
	}
	return p.Write(w)
}

// dots are the points as a picture wants them.
func (c Compared) dots(xs []float64) []page.Dot {
	var dots []page.Dot
	for i, p := range c.Points {
		d := page.Dot{At: p.Values[0], X: math.NaN(), Low: p.Low, Median: p.Median, Top: p.Top, Doubt: p.Doubt}
		if xs != nil {
			d.X = xs[i]
		}
		if p.N > 0 {
			dots = append(dots, d)
		}
	}
	return dots
}
