package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"slices"
)

// Strips are the distributions of values: a row for each thing, a column for each of the kinds that are compared, all on one axis.
type Strips struct {
	Title   string
	Unit    string   // of the values, as it is shown
	Columns []string // such as "allow", "deny"; one that is empty has no head
	Rows    []Strip
}

// Strip is a row.
type Strip struct {
	Label string
	Cells []Values // one for each column, each in ascending order
	Doubt []string // why a cell's values are not to be believed; empty: nothing speaks against them
}

// Add adds a cell to the row of a label, which is made at its first.
func (s *Strips) Add(label string, column int, values Values, doubt string) {
	i := slices.IndexFunc(s.Rows, func(r Strip) bool { return r.Label == label && r.Cells[column] == nil })
	if i < 0 {
		i, s.Rows = len(s.Rows), append(s.Rows, Strip{Label: label, Cells: make([]Values, len(s.Columns)), Doubt: make([]string, len(s.Columns))})
	}
	s.Rows[i].Cells[column], s.Rows[i].Doubt[column] = values, doubt
}

// The measures of strips, in pixels.
const (
	stripWidth  = 1160
	stripLeft   = 300
	stripRow    = 20
	headline    = 26
	stripTop    = 50
	stripBottom = 30
	stripGap    = 28
)

// Inline returns the strips as an element of a page, whose colours they take.
func (s Strips) Inline() template.HTML {
	var b bytes.Buffer
	s.draw(&b, headline, "")
	return template.HTML(b.String())
}

// Write writes the strips as SVG.
func (s Strips) Write(w io.Writer) error {
	var b bytes.Buffer
	s.draw(&b, 0, svgStyle)
	_, err := w.Write(b.Bytes())
	return err
}

func (s Strips) height() int { return stripTop + stripRow*len(s.Rows) + stripBottom }

// draw draws from a height on: the page has the headline in its own words.
func (s Strips) draw(b *bytes.Buffer, from int, style string) {
	height := s.height() - from
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 %d %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12" role="img">`+"\n", from, stripWidth, height, stripWidth, height)
	fmt.Fprintf(b, "<title>%s</title>\n%s", html.EscapeString(s.Title), style)
	if from == 0 {
		fmt.Fprintf(b, `<rect class="ground" width="%d" height="%d"/>`+"\n", stripWidth, height)
		text(b, 12, 18, `font-size="14" font-weight="600" fill="var(--fg)"`, s.Title)
	}
	for i, row := range s.Rows {
		text(b, stripLeft-12, float64(stripTop+stripRow*i)+14, `text-anchor="end" fill="var(--fg)"`, row.Label)
	}
	width := (float64(stripWidth-stripLeft-10) - stripGap*float64(len(s.Columns)-1)) / float64(len(s.Columns))
	axis := s.axis()
	for i := range s.Columns {
		axis.left = stripLeft + float64(i)*(width+stripGap)
		axis.right = axis.left + width
		s.drawColumn(b, i, axis)
	}
	b.WriteString("</svg>\n")
}

func (s Strips) drawColumn(b *bytes.Buffer, column int, axis valueAxis) {
	bottom := stripTop + stripRow*len(s.Rows)
	text(b, axis.left, stripTop-10, `font-weight="600" fill="var(--fg)"`, s.Columns[column])
	for _, v := range axis.ticks() {
		fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="var(--grid)"/>`, axis.at(v), stripTop, bottom)
		text(b, axis.at(v), float64(bottom)+16, `text-anchor="middle" fill="var(--muted)"`, shown("", v))
	}
	text(b, axis.right, stripTop-10, `text-anchor="end" fill="var(--muted)"`, s.Unit)
	for i, row := range s.Rows {
		values, mid := row.Cells[column], float64(stripTop+stripRow*i)+stripRow/2
		if len(values) == 0 {
			continue
		}
		opacity, doubt := 0.55, ""
		if row.Doubt[column] != "" {
			opacity, doubt = 0.2, "; invalid: "+row.Doubt[column]
		}
		fmt.Fprintf(b, `<g fill="var(--series)"><title>%s</title><path d="M%.1f %.1fH%.1f" stroke="var(--series)" stroke-opacity=".35"/>`,
			html.EscapeString(fmt.Sprintf("%s %s: n %d, median %s, max %s %s%s", row.Label, s.Columns[column], len(values), shown("", three(middle(values))), shown("", three(values[len(values)-1])), s.Unit, doubt)),
			axis.at(values[0]), mid, axis.at(values[len(values)-1]))
		drawDots(b, axis, values, mid, opacity)
		fmt.Fprintf(b, `<path d="M%.1f %.1fv12" stroke="var(--fg)" stroke-width="2"/></g>`+"\n", axis.at(middle(values)), mid-6)
	}
}

// drawDots draws a dot for each value. Those that lie on one another are one, as dark as they are together.
func drawDots(b *bytes.Buffer, axis valueAxis, values Values, y, opacity float64) {
	const apart = 2 // pixels: a third of a dot
	fmt.Fprintf(b, `<g fill-opacity="%.2f">`, opacity)
	for i := 0; i < len(values); {
		first, n := axis.at(values[i]), i
		for n < len(values) && axis.at(values[n])-first < apart {
			n++
		}
		more := ""
		if n > i+1 {
			more = fmt.Sprintf(` fill-opacity="%.2f"`, 1-math.Pow(1-opacity, float64(n-i)))
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.0f" r="3"%s/>`, first, y, more)
		i = n
	}
	b.WriteString("</g>")
}

func middle(values Values) float64 { return values[(len(values)-1)/2] }

// three rounds to three digits.
func three(v float64) float64 {
	if v == 0 {
		return 0
	}
	ten := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*ten) / ten
}

// valueAxis is the axis of values: by their logarithms where they are of several orders and above 0.
type valueAxis struct {
	scale
	log bool
}

func (a valueAxis) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	return a.scale.at(v)
}

func (a valueAxis) ticks() []float64 {
	if !a.log {
		return round(a.from, a.to, 5, false)
	}
	var ticks []float64
	for e := math.Floor(a.from); e <= a.to; e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); math.Log10(v) >= a.from && math.Log10(v) <= a.to {
				ticks = append(ticks, v)
			}
		}
	}
	if len(ticks) > 8 {
		ticks = slices.DeleteFunc(ticks, func(v float64) bool { l := math.Log10(v); return math.Abs(l-math.Round(l)) > 1e-9 })
	}
	return ticks
}

func (s Strips) axis() valueAxis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range s.Rows {
		for _, values := range row.Cells {
			if len(values) > 0 {
				low, high = min(low, values[0]), max(high, values[len(values)-1])
			}
		}
	}
	return axisOf(low, high)
}

// axisOf is an axis on which values from low to high have room; where it is drawn is still open.
func axisOf(low, high float64) valueAxis {
	if low > 0 && high > 20*low {
		return valueAxis{scale{math.Log10(low) - 0.05, math.Log10(high) + 0.05, 0, 0}, true}
	}
	low = min(low, 0)
	pad := max(high-low, 1e-9) * 0.03
	return valueAxis{scale{low - pad, high + pad, 0, 0}, false}
}
