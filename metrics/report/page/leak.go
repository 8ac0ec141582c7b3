package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

// Leak is what was learnt of leaks: a row for each gauge, its readings, and the places that hold more and more.
type Leak struct {
	Intro    string
	Heads    []Head
	Rows     [][]string
	Readings []Readings // of some gauges
	Sites    []Site
	Flame    template.HTML // of the sites; empty: there are none
	Places   []string      // what else is known of places, such as how to look at the profiles
}

// Site is a place in the source that holds more and more.
type Site struct {
	Kind, Site, Per string
	Stack           []string // from the inside
}

// Readings are the settled readings of one gauge over cycles, with the line through those after the warm-up.
type Readings struct {
	Name, Title, Unit, Text string // unit: as in Series
	Cycles, Values          []float64
	WarmUp                  int // how many of the first do not count
	Slope, Low, High        float64
}

// The measures of readings and of a flame graph, in pixels.
const (
	readingsWidth, readingsHeight = 560, 226
	readingsLeft, readingsRight   = 78, 548
	readingsTop, readingsBottom   = 34, 168
	flameWidth, flameRow          = 1160, 20
)

// Inline returns the readings as an element of a page, whose colours they take.
func (r Readings) Inline() template.HTML { return inline(r.draw) }

// Write writes the readings as SVG.
func (r Readings) Write(w io.Writer) error { return written(w, r.draw) }

func (r Readings) draw(b *bytes.Buffer, style string) {
	n := min(len(r.Cycles), len(r.Values))
	if n == 0 {
		r.Cycles, r.Values, n = []float64{0}, []float64{0}, 1
	}
	begin(b, readingsWidth, readingsHeight, r.Title+": "+r.Text, style)
	text(b, 2, 16, `font-size="13" font-weight="600" fill="var(--fg)"`, r.Title)
	low, high := slices.Min(r.Values[:n]), slices.Max(r.Values[:n]) // growth is what matters, not the level
	pad := max(0.1*(high-low), 1e-9*math.Abs(high))
	if pad == 0 {
		pad = 1
	}
	low, high = low-pad, high+pad
	x, y := scale{r.Cycles[0], max(r.Cycles[n-1], r.Cycles[0]+1), readingsLeft, readingsRight}, scale{low, high, readingsBottom, readingsTop}
	for _, v := range round(low, high, 4, r.Unit == "bytes") {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="var(--grid)"/>`, readingsLeft, y.at(v), readingsRight)
		text(b, readingsLeft-6, y.at(v)+4, `text-anchor="end" fill="var(--muted)"`, shown(r.Unit, v))
	}
	text(b, x.at(x.from), readingsBottom+16, `text-anchor="middle" fill="var(--muted)"`, fmt.Sprintf("cycle %.0f", x.from))
	text(b, x.at(x.to), readingsBottom+16, `text-anchor="end" fill="var(--muted)"`, fmt.Sprintf("cycle %.0f", x.to))
	r.drawLine(b, x, y, n)
	for i := range n {
		opacity := 0.9
		if i < r.WarmUp {
			opacity = 0.3
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="var(--settled)" fill-opacity="%.1f"/>`, x.at(r.Cycles[i]), y.at(r.Values[i]), opacity)
	}
	for i, line := range broken(r.Text, 92) {
		text(b, 2, float64(readingsBottom+34+14*i-4), `font-size="11" fill="var(--muted)"`, line)
	}
	b.WriteString("</svg>")
}

// drawLine draws the line through the middle of the readings that count, and the fan of the slopes of its interval.
func (r Readings) drawLine(b *bytes.Buffer, x, y scale, n int) {
	if n-r.WarmUp < 2 {
		return
	}
	var mx, my float64
	for i := r.WarmUp; i < n; i++ {
		mx, my = mx+r.Cycles[i], my+r.Values[i]
	}
	mx, my = mx/float64(n-r.WarmUp), my/float64(n-r.WarmUp)
	from, to := r.Cycles[r.WarmUp], r.Cycles[n-1]
	at := func(slope, cycle float64) string {
		v := min(max(y.at(my+slope*(cycle-mx)), readingsTop), readingsBottom)
		return fmt.Sprintf("%.1f %.1f", x.at(cycle), v)
	}
	fmt.Fprintf(b, `<path d="M%s L%s L%s L%sZ" fill="var(--fill)"/>`, at(r.Low, from), at(r.Low, to), at(r.High, to), at(r.High, from))
	fmt.Fprintf(b, `<path d="M%s L%s" stroke="var(--series)" stroke-width="1.5"/>`, at(r.Slope, from), at(r.Slope, to))
}

// broken breaks a text into lines of about so many characters.
func broken(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// Stack is a stack with what is held by it.
type Stack struct {
	Frames []string // from the inside
	Weight float64
	Text   string // of what is held
}

// frame is a node of a flame graph.
type frame struct {
	name, text string
	weight     float64
	callees    []*frame
}

// Flame draws stacks as a flame graph whose root is on top; empty if nothing is held.
func Flame(stacks []Stack) template.HTML {
	root, depth := &frame{name: "all that grows"}, 1
	for _, s := range stacks {
		if s.Weight <= 0 || len(s.Frames) == 0 {
			continue
		}
		root.weight += s.Weight
		at := root
		for _, name := range slices.Backward(s.Frames) {
			at = at.callee(name)
			at.weight += s.Weight
		}
		at.text, depth = s.Text, max(depth, len(s.Frames)+1)
	}
	if root.weight == 0 {
		return ""
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="11" role="img"><title>Flame graph of what grows</title>`+"\n",
		flameWidth, depth*flameRow, flameWidth, depth*flameRow)
	root.draw(&b, 0, 0, flameWidth/root.weight)
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (f *frame) callee(name string) *frame {
	for _, c := range f.callees {
		if c.name == name {
			return c
		}
	}
	c := &frame{name: name}
	f.callees = append(f.callees, c)
	return c
}

func (f *frame) draw(b *bytes.Buffer, x, y, perWeight float64) {
	const perCharacter = 6.2
	width := f.weight * perWeight
	fill := "var(--step)"
	if f.text != "" {
		fill = "var(--wrong)"
	}
	label := f.name[strings.LastIndexByte(f.name, '/')+1:]
	if at := strings.LastIndexByte(f.name, ' '); at > 0 {
		label = f.name[strings.LastIndexByte(f.name[:at], '/')+1:]
	}
	if room := int(width/perCharacter) - 1; len(label) > room {
		label = label[:max(room, 0)]
	}
	fmt.Fprintf(b, `<g><title>%s</title><rect x="%.1f" y="%.0f" width="%.1f" height="%d" rx="2" fill="%s"/>`, html.EscapeString(strings.TrimSpace(f.name+" "+f.text)), x, y, max(width-1, 1), flameRow-2, fill)
	if len(label) > 3 {
		text(b, x+4, y+13, `fill="var(--fg)"`, label)
	}
	b.WriteString("</g>\n")
	for _, c := range f.callees {
		c.draw(b, x, y+flameRow, perWeight)
		x += c.weight * perWeight
	}
}
