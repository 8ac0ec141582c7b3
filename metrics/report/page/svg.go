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

// svgStyle are the colours of a plot that stands alone, which follow the reader's preference as the page's do.
const svgStyle = `<style>
:root { --bg: #fff; --fg: #1d2129; --muted: #5c6470; --grid: #e9ecf0; --series: #2b66b8; --line-2: #b4540a; --line-3: #1b7f5a; --line-4: #7a3fb0; --fill: #2b66b822; --other: #b4540a; --settled: #b4540a; --shade: #c0272d1f; --shade-excused: #b98a1c33; --event: #7a3fb0; --fail: #c0272d; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171c; --fg: #e3e7ed; --muted: #9aa4b1; --grid: #272d36; --series: #79aaf0; --line-2: #f0a35e; --line-3: #5fcf9f; --line-4: #c39bf0; --fill: #79aaf022; --other: #f0a35e; --settled: #f0a35e; --shade: #ff7b7f26; --shade-excused: #d9ab4533; --event: #c39bf0; --fail: #ff7b7f; } }
.ground { fill: var(--bg); }
</style>
`

// inline draws a picture as an element of a page, whose colours it takes.
func inline(draw func(b *bytes.Buffer, style string)) template.HTML {
	var b bytes.Buffer
	draw(&b, "")
	return template.HTML(b.String())
}

// written draws a picture that stands alone.
func written(w io.Writer, draw func(b *bytes.Buffer, style string)) error {
	var b bytes.Buffer
	draw(&b, svgStyle)
	_, err := w.Write(b.Bytes())
	return err
}

// begin begins a picture with a ground of its own, or one that takes the page's colours.
func begin(b *bytes.Buffer, width, height int, title, style string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(b, "<title>%s</title>\n%s", html.EscapeString(title), style)
	if style != "" {
		fmt.Fprintf(b, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	}
}

// Chart is one series over time, as a picture that stands alone.
type Chart struct {
	Title  string
	Unit   string // as in Series
	Points Points // with the series alone
	From   Seconds
	To     Seconds
	Marks  []Bar
}

// The measures of a chart, in pixels.
const (
	chartWidth, chartHeight = 860, 260
	plotLeft, plotRight     = 84, 844
	plotTop, plotBottom     = 40, 226
)

// Write writes the chart as SVG.
func (c Chart) Write(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12" role="img">`+"\n", chartWidth, chartHeight, chartWidth, chartHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(c.Title), svgStyle)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`+"\n", chartWidth, chartHeight)
	text(&b, plotLeft, 22, `font-size="14" font-weight="600" fill="var(--fg)"`, c.Title)
	low, high := c.bounds()
	x := scale{float64(c.From), float64(c.To), plotLeft, plotRight}
	y := scale{low, high, plotBottom, plotTop}
	for _, v := range round(low, high, 5, c.Unit == "bytes") {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="var(--grid)"/>`, plotLeft, y.at(v), plotRight)
		text(&b, plotLeft-8, y.at(v)+4, `text-anchor="end" fill="var(--muted)"`, shown(c.Unit, v))
	}
	for _, v := range wholeTimes(x.from, x.to) {
		text(&b, x.at(v), plotBottom+18, `text-anchor="middle" fill="var(--muted)"`, clock(v, x.to-x.from < 10))
	}
	c.drawMarks(&b, x)
	c.drawLine(&b, x, y)
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (c Chart) drawMarks(b *bytes.Buffer, x scale) {
	for _, m := range c.Marks {
		from, to := x.at(float64(m.From)), x.at(float64(m.To))
		colour := "var(--event)"
		switch {
		case m.Kind == "fail" && to-from > 2:
			colour = "var(--shade)"
		case m.Kind == "fail":
			colour = "var(--fail)"
		case m.Kind == "excused":
			colour = "var(--shade-excused)"
		case m.Kind == "gap":
			colour = "var(--grid)"
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`+"\n", from, plotTop, max(to-from, 1), plotBottom-plotTop, colour, html.EscapeString(m.Text))
	}
}

// drawLine draws the series, and the points where they are few or alone. A scrape that failed breaks the line.
func (c Chart) drawLine(b *bytes.Buffer, x, y scale) {
	var path, dots strings.Builder
	values := c.Points.Series[0].Values
	few := len(values) <= 60
	gaps, rests := among(c.Points.Gaps), among(c.Points.Settled)
	pen := "M"
	for i, v := range values {
		if math.IsNaN(v) {
			if gaps[i] {
				pen = "M"
			}
			continue
		}
		px, py := x.at(float64(c.Points.Times[i])), y.at(v)
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, px, py)
		settled := rests[i]
		if few || settled {
			colour, r := "var(--series)", 2.2
			if settled {
				colour, r = "var(--other)", 3.5
			}
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`, px, py, r, colour)
		}
		pen = "L"
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="var(--series)" stroke-width="1.5" stroke-linejoin="round"/>%s`+"\n", path.String(), dots.String())
}

// among is a set of indexes: there may be as many as points.
func among(indexes []int) map[int]bool {
	set := make(map[int]bool, len(indexes))
	for _, i := range indexes {
		set[i] = true
	}
	return set
}

// bounds are what the axis of values reaches from and to: from 0 unless that leaves the lower part empty.
func (c Chart) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range c.Points.Series[0].Values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if math.IsInf(low, 0) {
		return 0, 1
	}
	pad := 0.1 * (high - low)
	if pad == 0 {
		pad = max(math.Abs(high)*0.1, 1)
	}
	if low >= 0 && low < 0.4*high || low == 0 {
		return 0, high + pad
	}
	return low - pad, high + pad
}

// scale maps values to pixels.
type scale struct{ from, to, left, right float64 }

func (s scale) at(v float64) float64 {
	if s.to == s.from {
		return s.left
	}
	return s.left + (v-s.from)/(s.to-s.from)*(s.right-s.left)
}

// wholeTimes returns at most ten times between two at which people look at a clock.
func wholeTimes(from, to float64) []float64 {
	step := 0.1
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600} {
		if step = s; (to-from)/s <= 10 {
			break
		}
	}
	var times []float64
	for i := math.Ceil(from / step); i*step <= to; i++ {
		times = append(times, i*step)
	}
	return times
}

// round returns about n round values between two; binary: multiples of a power of two.
func round(from, to float64, n int, binary bool) []float64 {
	if !(to > from) {
		return []float64{from}
	}
	rough := (to - from) / float64(n)
	step := math.Pow(2, math.Ceil(math.Log2(rough)))
	if !binary {
		ten := math.Pow(10, math.Floor(math.Log10(rough)))
		for _, m := range []float64{1, 2, 5, 10} {
			if step = m * ten; step >= rough {
				break
			}
		}
	}
	var values []float64
	for i := math.Ceil(from / step); i*step <= to; i++ {
		values = append(values, i*step+0) // not -0
	}
	return values
}

func shown(unit string, v float64) string {
	if unit != "bytes" {
		return strings.TrimRight(strconv.FormatFloat(v, 'g', 6, 64)+" "+map[string]string{"seconds": "s"}[unit], " ")
	}
	for _, u := range []string{"B", "KiB", "MiB"} {
		if math.Abs(v) < 1024 {
			return strconv.FormatFloat(v, 'g', 4, 64) + " " + u
		}
		v /= 1024
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + " GiB"
}

// clock writes a time since the run began as minutes and seconds.
func clock(s float64, tenths bool) string {
	if tenths {
		tenth := int(math.Round(10 * s))
		return fmt.Sprintf("%d:%02d.%d", tenth/600, tenth/10%60, tenth%10)
	}
	whole := int(math.Round(s))
	return fmt.Sprintf("%d:%02d", whole/60, whole%60)
}

func text(b *bytes.Buffer, x, y float64, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, attributes, html.EscapeString(s))
}
