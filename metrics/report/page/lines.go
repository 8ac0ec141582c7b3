package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
)

// Lines are curves on common axes.
type Lines struct {
	Title  string
	Unit   string  // of the values, as it is shown
	Shares bool    // X are shares of all values, of which the rare ones get as much room as the frequent; else seconds
	Every  float64 // where X are clearly farther apart, a line is broken; 0: nowhere
	Lines  []Line
}

// Line is one curve.
type Line struct {
	Name   string
	X      []float64 // ascending
	Values []float64 // one for each X
}

// lineColours tell curves apart; where there are more, their dashes do.
var lineColours = [...]string{"var(--series)", "var(--line-2)", "var(--line-3)", "var(--line-4)"}

var lineDashes = [...]string{"", "6 3", "2 3"}

// Inline returns the curves as an element of a page, whose colours they take.
func (l Lines) Inline() template.HTML { return inline(l.draw) }

// Write writes the curves as SVG.
func (l Lines) Write(w io.Writer) error { return written(w, l.draw) }

const legendRow = 22

func (l Lines) draw(b *bytes.Buffer, style string) {
	height := chartHeight + legendRow
	begin(b, chartWidth, height, l.Title, style)
	text(b, plotLeft, 22, `font-size="14" font-weight="600" fill="var(--fg)"`, l.Title)
	low, high := l.bounds()
	x, y := l.xAxis(), scale{low, high, plotBottom, plotTop}
	for _, v := range round(low, high, 5, false) {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="var(--grid)"/>`, plotLeft, y.at(v), plotRight)
		text(b, plotLeft-8, y.at(v)+4, `text-anchor="end" fill="var(--muted)"`, strings.TrimSpace(shown("", v)+" "+l.Unit))
	}
	l.drawTicks(b, x)
	at := float64(plotLeft)
	for i, line := range l.Lines {
		pen := fmt.Sprintf(`stroke="%s" stroke-dasharray="%s"`, lineColours[i%len(lineColours)], lineDashes[i/len(lineColours)%len(lineDashes)])
		fmt.Fprintf(b, `<path d="%s" fill="none" %s stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"><title>%s</title></path>`+"\n",
			l.path(line, x, y), pen, html.EscapeString(line.Name))
		fmt.Fprintf(b, `<path d="M%.1f %dh20" %s stroke-width="2.5"/>`, at, plotBottom+legendRow+16, pen)
		text(b, at+26, plotBottom+legendRow+20, `fill="var(--fg)"`, line.Name)
		at += 44 + 7*float64(len([]rune(line.Name)))
	}
	b.WriteString("</svg>\n")
}

// path is the line; what stands alone is a dot. Of a level stretch only the ends are written: a page has hundreds of lines.
func (l Lines) path(line Line, x func(float64) float64, y scale) string {
	var path strings.Builder
	begins := func(i int) bool {
		return i == 0 || l.Every > 0 && line.X[i]-line.X[i-1] > 1.5*l.Every
	}
	height := func(i int) string { return fmt.Sprintf("%.1f", y.at(line.Values[i])) }
	for i := range line.Values {
		at, level := x(line.X[i]), !begins(i) && height(i) == height(i-1)
		switch {
		case begins(i):
			fmt.Fprintf(&path, "M%.1f %sh0", at, height(i))
		case level && i+1 < len(line.Values) && !begins(i+1) && height(i+1) == height(i):
		case level:
			fmt.Fprintf(&path, "H%.1f", at)
		default:
			fmt.Fprintf(&path, "L%.1f %s", at, height(i))
		}
	}
	return path.String()
}

// nines is how far a share is from all, by the number of nines.
func nines(share float64) float64 { return -math.Log10(max(1-share, 1e-9)) }

// extent is the first and the last of all X.
func (l Lines) extent() (first, last float64) {
	first, last = math.Inf(1), math.Inf(-1)
	for _, line := range l.Lines {
		if n := len(line.X); n > 0 {
			first, last = min(first, line.X[0]), max(last, line.X[n-1])
		}
	}
	if first > last {
		return 0, 0
	}
	return first, last
}

func (l Lines) xAxis() func(float64) float64 {
	first, last := l.extent()
	if l.Shares {
		s := scale{nines(first), nines(last), plotLeft, plotRight}
		return func(v float64) float64 { return s.at(nines(v)) }
	}
	return scale{first, last, plotLeft, plotRight}.at
}

func (l Lines) drawTicks(b *bytes.Buffer, x func(float64) float64) {
	tick := func(v float64, label string) {
		text(b, x(v), plotBottom+18, `text-anchor="middle" fill="var(--muted)"`, label)
	}
	first, last := l.extent()
	if !l.Shares {
		for _, v := range wholeTimes(first, last) {
			tick(v, clock(v, last-first < 10))
		}
		return
	}
	for _, share := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999} {
		if share >= first && share <= last {
			tick(share, strconv.FormatFloat(100*share, 'g', 8, 64)+" %")
		}
	}
}

func (l Lines) bounds() (low, high float64) {
	high = math.Inf(-1)
	for _, line := range l.Lines {
		for _, v := range line.Values {
			low, high = min(low, v), max(high, v)
		}
	}
	if math.IsInf(high, 0) || high == low {
		return low, max(low+1, high)
	}
	return low, high + 0.05*(high-low)
}
