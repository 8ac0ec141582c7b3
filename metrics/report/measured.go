package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/nodefv/nodefv/metrics"
)

// measured is what was measured under one name, with the same labels: a table with a row for all scenarios' samples of each value of the
// labels.
type measured struct {
	metrics.Measurement // the first, for name, unit, doc and the labels' names
	rows                []metrics.Measurement
}

// measured returns the tables of all measurements, in the order in which the first of each was taken. What was taken for the first time comes
// first in each column of labels as well, so that rows which differ in the last label alone stand together. Times that were taken in a scenario in
// which something falsified them are invalid.
func (rec Record) measured() []measured {
	var tables []measured
	for _, sc := range rec.Scenarios {
		falsified := Falsified(rec.Doubts(sc), Times)
		for _, m := range sc.Measurements {
			if falsified != "" && m.Unit == metrics.Seconds {
				m.Invalid = cmp.Or(m.Invalid, degraded+falsified)
			}
			i := slices.IndexFunc(tables, func(t measured) bool { return t.holds(m) })
			if i < 0 {
				i, tables = len(tables), append(tables, measured{Measurement: m})
			}
			tables[i].add(m)
		}
	}
	for _, t := range tables {
		t.sort()
	}
	return tables
}

func (t measured) holds(m metrics.Measurement) bool {
	return t.Name == m.Name && t.Unit == m.Unit && slices.EqualFunc(t.Labels, m.Labels, func(a, b metrics.Label) bool { return a.Name == b.Name })
}

// add adds a measurement. One that can't be added up with that of another scenario is a row of its own.
func (t *measured) add(m metrics.Measurement) {
	i := slices.IndexFunc(t.rows, m.Same)
	if i < 0 || t.rows[i].Add(m) != nil {
		m.Samples = slices.Clip(m.Samples) // the scenario's own stay as they are
		t.rows = append(t.rows, m)
	}
}

func (t measured) sort() {
	ranks := make([]map[string]int, len(t.Labels))
	for i := range ranks {
		ranks[i] = map[string]int{}
		for _, m := range t.rows {
			if v := m.Labels[i].Value; ranks[i][v] == 0 {
				ranks[i][v] = 1 + len(ranks[i])
			}
		}
	}
	slices.SortStableFunc(t.rows, func(a, b metrics.Measurement) int {
		for i, rank := range ranks {
			if c := cmp.Compare(rank[a.Labels[i].Value], rank[b.Labels[i].Value]); c != 0 {
				return c
			}
		}
		return 0
	})
}

// title is name and unit.
func (t measured) title() string {
	first, size := utf8.DecodeRuneInString(t.Name)
	title := string(unicode.ToUpper(first)) + t.Name[size:]
	if unit, _ := t.Unit.Shown(); unit != "" {
		title += ", " + unit
	}
	return title
}

// intro says what the table is about.
func (t measured) intro() string {
	intro := t.Doc
	if t.resolved() {
		intro += " A value may be too large by its resolution."
	}
	return strings.TrimSpace(intro)
}

// columns returns the heads of the columns, those of the labels first. Of rows of one value each there is that alone.
func (t measured) columns() (heads []string, labels int) {
	for _, l := range t.Labels {
		heads = append(heads, l.Name)
	}
	if t.single() {
		heads = append(heads, "value")
	} else {
		heads = append(heads, "n", "P50", "P90", "P99", "max")
	}
	if t.resolved() {
		heads = append(heads, "resolution P50", "resolution max")
	}
	return append(heads, ""), len(t.Labels)
}

// single reports whether each row has one value at most.
func (t measured) single() bool {
	return !slices.ContainsFunc(t.rows, func(m metrics.Measurement) bool { return m.N() > 1 || m.Without > 0 })
}

// resolved reports whether the resolution of a row is known.
func (t measured) resolved() bool {
	return slices.ContainsFunc(t.rows, func(m metrics.Measurement) bool { return m.N() > 0 && m.Resolution(1) > 0 })
}

// unknown stands where there is no number.
const unknown = "–"

func (t measured) cells(m metrics.Measurement) (cells []string) {
	for _, l := range m.Labels {
		cells = append(cells, l.Value)
	}
	n := m.Of()
	if m.Without == 0 && slices.ContainsFunc(t.rows, func(o metrics.Measurement) bool { return o.Without > 0 }) {
		n = fmt.Sprintf("%d of %d", m.N(), m.N())
	}
	number := func(of func(float64) float64, q float64) string {
		if m.N() == 0 {
			return unknown
		}
		return t.Unit.Number(of(q))
	}
	resolution := func(q float64) string {
		if m.N() == 0 || m.Resolution(q) == 0 {
			return unknown
		}
		return number(m.Resolution, q)
	}
	if t.single() {
		cells = append(cells, number(m.Quantile, 1))
	} else {
		cells = append(cells, n)
		for _, q := range []float64{0.5, 0.9, 0.99, 1} {
			cells = append(cells, number(m.Quantile, q))
		}
	}
	if t.resolved() {
		cells = append(cells, resolution(0.5), resolution(1))
	}
	remark := ""
	if why := m.Doubt(); why != "" {
		remark = "invalid: " + why
	}
	return append(cells, remark)
}

func (t measured) markdown(b *bytes.Buffer) {
	b.WriteByte('\n')
	if intro := t.intro(); intro != "" {
		fmt.Fprintf(b, "%s\n\n", cell(intro))
	}
	heads, labels := t.columns()
	row(b, heads...)
	b.WriteString(strings.Repeat("|---", labels) + strings.Repeat("|---:", len(heads)-labels-1) + "|---|\n")
	for _, m := range t.rows {
		row(b, t.cells(m)...)
	}
}

// text writes the table for a terminal. Remarks stand below it, by number.
func (t measured) text(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s\n\n", plain(t.title()))
	if intro := t.intro(); intro != "" {
		fmt.Fprintf(b, "%s\n", wrapped(plain(intro), tableWidth))
	}
	heads, _ := t.columns()
	var aligned bytes.Buffer
	w := tabwriter.NewWriter(&aligned, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(heads, "\t")))
	var remarks []string
	for _, m := range t.rows {
		cells := t.cells(m)
		last := len(cells) - 1
		for _, c := range cells[:last] {
			fmt.Fprint(w, plain(c), "\t")
		}
		if why := cells[last]; why != "" {
			if !slices.Contains(remarks, why) {
				remarks = append(remarks, why)
			}
			fmt.Fprintf(w, "(%d)", 1+slices.Index(remarks, why))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a buffer takes all
	for line := range strings.Lines(aligned.String()) {
		fmt.Fprintln(b, strings.TrimRight(line, " \n"))
	}
	for i, why := range remarks {
		b.WriteString(wrapped(fmt.Sprintf("(%d) %s", i+1, plain(why)), tableWidth))
	}
}

// wrapped breaks a text into lines of at most so many characters, as far as its words allow.
func wrapped(text string, most int) string {
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case length == 0:
		case length+1+n > most:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += n
	}
	return b.String() + "\n"
}

// Measured returns what was measured in the scenario, a line each.
func (sc Scenario) Measured() []string {
	var lines []string
	for _, m := range sc.Measurements {
		lines = append(lines, plain(m.String()))
	}
	return lines
}
