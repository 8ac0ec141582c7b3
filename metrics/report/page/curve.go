package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"strings"
)

// Curve is how a quantity depends on one parameter: for each of its values the median, and a bar from the smallest to the largest.
type Curve struct {
	Title string
	Unit  string // of the values, as it is shown
	Axis  string // the parameter's name
	Dots  []Dot
}

// Dot is what was measured at one value of the parameter.
type Dot struct {
	At               string  // the parameter's value
	X                float64 // the same as a number; NaN for all of a curve if one is none
	Low, Median, Top float64
	Doubt            string // why it is not to be believed; empty: nothing speaks against it
}

// Inline returns the curve as an element of a page, whose colours it takes.
func (c Curve) Inline() template.HTML { return inline(c.draw) }

// Write writes the curve as SVG.
func (c Curve) Write(w io.Writer) error { return written(w, c.draw) }

func (c Curve) draw(b *bytes.Buffer, style string) {
	const bottom = plotBottom - 14
	begin(b, chartWidth, chartHeight, c.Title, style)
	text(b, plotLeft, 22, `font-size="14" font-weight="600" fill="var(--fg)"`, c.Title)
	text(b, plotRight, 22, `text-anchor="end" fill="var(--muted)"`, c.Unit)
	text(b, (plotLeft+plotRight)/2, chartHeight-8, `text-anchor="middle" fill="var(--muted)"`, c.Axis)
	y := c.values()
	y.left, y.right = bottom, plotTop
	for _, v := range y.ticks() {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="var(--grid)"/>`, plotLeft, y.at(v), plotRight)
		text(b, plotLeft-8, y.at(v)+4, `text-anchor="end" fill="var(--muted)"`, shown("", v))
	}
	place := c.places()
	var line strings.Builder
	for i, d := range c.Dots {
		x, pen := place(i), "L"
		if i == 0 {
			pen = "M"
		}
		fmt.Fprintf(&line, "%s%.1f %.1f", pen, x, y.at(d.Median))
		text(b, x, bottom+18, `text-anchor="middle" fill="var(--muted)"`, d.At)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="var(--series)" stroke-width="1.5" stroke-linejoin="round"/>`+"\n", line.String())
	for i, d := range c.Dots {
		x, opacity := place(i), 1.0
		title := fmt.Sprintf("%s %s: median %s, from %s to %s %s", c.Axis, d.At, shown("", three(d.Median)), shown("", three(d.Low)), shown("", three(d.Top)), c.Unit)
		if d.Doubt != "" {
			opacity, title = 0.35, title+"; invalid: "+d.Doubt
		}
		fmt.Fprintf(b, `<g opacity="%.2f"><title>%s</title><path d="M%.1f %.1fV%.1f" stroke="var(--series)" stroke-width="3" stroke-opacity=".4"/><circle cx="%.1f" cy="%.1f" r="4" fill="var(--series)"/></g>`+"\n",
			opacity, html.EscapeString(title), x, y.at(d.Low), y.at(d.Top), x, y.at(d.Median))
	}
	b.WriteString("</svg>\n")
}

// values is the axis of what was measured.
func (c Curve) values() valueAxis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, d := range c.Dots {
		low, high = min(low, d.Low), max(high, d.Top)
	}
	return axisOf(low, high)
}

// places returns where the dots stand: by number, or by its logarithm where they are of several orders, or one beside the other.
func (c Curve) places() func(i int) float64 {
	const left, right = plotLeft + 30, plotRight - 30
	low, high := math.Inf(1), math.Inf(-1)
	for _, d := range c.Dots {
		low, high = min(low, d.X), max(high, d.X)
	}
	if math.IsNaN(low) || math.IsNaN(high) || low == high {
		return func(i int) float64 { return left + (right-left)*(float64(i)+0.5)/float64(len(c.Dots)) }
	}
	by := func(v float64) float64 { return v }
	if low > 0 && high > 20*low {
		by = math.Log10
	}
	s := scale{by(low), by(high), left, right}
	return func(i int) float64 { return s.at(by(c.Dots[i].X)) }
}
