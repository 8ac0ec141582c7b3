package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"unicode/utf8"
)

// Heat is how a quantity depends on two parameters: a map whose cells are the darker the larger their value.
type Heat struct {
	Title         string
	Unit          string // of the values, as it is shown
	Across, Down  string // the parameters' names
	Heads, Labels []string
	Cells         [][]Dot // a row for each label; a cell whose median is NaN was not measured
}

// The measures of a heat map, in pixels.
const (
	heatLeft, heatTop  = 130, 74
	heatCell, heatLine = 104, 40
)

// Inline returns the map as an element of a page, whose colours it takes.
func (h Heat) Inline() template.HTML { return inline(h.draw) }

// Write writes the map as SVG.
func (h Heat) Write(w io.Writer) error { return written(w, h.draw) }

func (h Heat) draw(b *bytes.Buffer, style string) {
	title := h.Title
	if h.Unit != "" {
		title += ", " + h.Unit
	}
	width, height := max(heatLeft+heatCell*len(h.Heads)+16, 24+8*utf8.RuneCountInString(title)), heatTop+heatLine*len(h.Labels)+16
	begin(b, width, height, h.Title, style)
	text(b, 12, 22, `font-size="14" font-weight="600" fill="var(--fg)"`, title)
	text(b, heatLeft, 46, `fill="var(--muted)"`, h.Across+" →")
	text(b, heatLeft-12, heatTop-10, `text-anchor="end" fill="var(--muted)"`, h.Down+" ↓")
	for i, head := range h.Heads {
		text(b, float64(heatLeft+heatCell*i)+heatCell/2, heatTop-10, `text-anchor="middle" fill="var(--fg)"`, head)
	}
	share := h.shares()
	for r, label := range h.Labels {
		top := float64(heatTop + heatLine*r)
		text(b, heatLeft-12, top+heatLine/2+4, `text-anchor="end" fill="var(--fg)"`, label)
		for c, d := range h.Cells[r] {
			left := float64(heatLeft + heatCell*c)
			words, what, opacity := "–", "not measured", 0.0
			if !math.IsNaN(d.Median) {
				words, opacity = shown("", three(d.Median)), 0.08+0.62*share(d.Median)
				what = fmt.Sprintf("median %s, from %s to %s %s", words, shown("", three(d.Low)), shown("", three(d.Top)), h.Unit)
			}
			if d.Doubt != "" {
				words, what = words+" ?", what+"; invalid: "+d.Doubt
			}
			fmt.Fprintf(b, `<g><title>%s</title><rect x="%.0f" y="%.0f" width="%d" height="%d" rx="3" fill="var(--series)" fill-opacity="%.2f"/>`,
				html.EscapeString(fmt.Sprintf("%s %s, %s %s: %s", h.Down, label, h.Across, h.Heads[c], what)), left+1, top+1, heatCell-2, heatLine-2, opacity)
			text(b, left+heatCell/2, top+heatLine/2+4, `text-anchor="middle" fill="var(--fg)"`, words)
			b.WriteString("</g>\n")
		}
	}
	b.WriteString("</svg>\n")
}

// shares returns how dark a value is, from 0 to 1: by logarithms where the values are of several orders.
func (h Heat) shares() func(v float64) float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range h.Cells {
		for _, d := range row {
			if !math.IsNaN(d.Median) {
				low, high = min(low, d.Median), max(high, d.Median)
			}
		}
	}
	axis := axisOf(low, high)
	if !axis.log {
		axis.from, axis.to = low, high
	}
	axis.right = 1
	return func(v float64) float64 {
		if low == high {
			return 0
		}
		return min(max(axis.at(v), 0), 1)
	}
}
