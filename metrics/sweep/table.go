package sweep

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// marks say what is behind a value.
const (
	doubtful = "?"
	broken   = "!"
	none     = "–"
)

const marksMean = "? a value that is not to be believed: the CSV says why; ! the scenario failed in a round"

// cell tells the median, and in long the smallest and the largest as well.
func (p Point) cell(long bool) string {
	if p.N == 0 {
		return none
	}
	words := number(p.Median)
	if long && p.N > 1 && p.Low != p.Top {
		words += fmt.Sprintf(" (%s–%s)", number(p.Low), number(p.Top))
	}
	if p.Doubt != "" {
		words += " " + doubtful
	}
	if p.Failed > 0 {
		words += " " + broken
	}
	return words
}

func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6, a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// block is a table: its heads and rows as words.
type block struct {
	title string
	rows  [][]string // the first are the heads
}

// blocks are the tables of what is compared: one for all with one axis, one for each quantity with two.
func (s Sweep) blocks(all []Compared, long bool) []block {
	axes := s.Plan.Axes
	if len(axes) == 1 {
		b := block{rows: [][]string{append([]string{axes[0].Name}, axes[0].Values...)}}
		for _, c := range all {
			row := []string{withUnit(c)}
			for _, p := range c.Points {
				row = append(row, p.cell(long))
			}
			b.rows = append(b.rows, row)
		}
		return []block{b}
	}
	var blocks []block
	for _, c := range all {
		b := block{title: withUnit(c), rows: [][]string{append([]string{axes[0].Name + " ↓  " + axes[1].Name + " →"}, axes[1].Values...)}}
		for i, v := range axes[0].Values {
			row := []string{v}
			for j := range axes[1].Values {
				row = append(row, c.Points[i*len(axes[1].Values)+j].cell(long))
			}
			b.rows = append(b.rows, row)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func withUnit(c Compared) string {
	if c.Unit == "" {
		return c.Title()
	}
	return c.Title() + ", " + c.Unit
}

// growths tells how the quantities grow, a line each.
func (s Sweep) growths(all []Compared) (lines []string) {
	for _, c := range all {
		if g, known := c.Growth(s.Plan.Axes); known {
			lines = append(lines, c.Title()+" "+g.words(c.Unit, s.Plan.Axes))
		}
	}
	return lines
}

// Table writes the medians for a terminal of that many columns; what does not fit goes on below.
func (s Sweep) Table(w io.Writer, all []Compared, width int) error {
	var out strings.Builder
	for _, b := range s.blocks(all, false) {
		if b.title != "" {
			fmt.Fprintf(&out, "\n%s\n", b.title)
		}
		b.write(&out, width)
	}
	if lines := s.growths(all); len(lines) > 0 {
		out.WriteString("\n")
		for _, l := range lines {
			out.WriteString(l + "\n")
		}
	}
	if text := out.String(); strings.Contains(text, " "+doubtful) || strings.Contains(text, " "+broken) {
		out.WriteString(marksMean + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// write lays the columns out; those that do not fit beside the first are written below it, the first once more before them.
func (b block) write(out *strings.Builder, width int) {
	widths := make([]int, len(b.rows[0]))
	for _, row := range b.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for from := 1; from < len(widths); {
		to, used := from, widths[0]
		for to < len(widths) && (to == from || used+2+widths[to] <= width) {
			used += 2 + widths[to]
			to++
		}
		for _, row := range b.rows {
			out.WriteString(row[0] + strings.Repeat(" ", widths[0]-utf8.RuneCountInString(row[0])))
			for i := from; i < to; i++ {
				out.WriteString(strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(row[i])) + row[i])
			}
			out.WriteString("\n")
		}
		from = to
	}
}
