package harness

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Table prints the medians, and the ratio of each of ours to its bare loop.
func (m *Measurements) Table(out io.Writer, runtimes []string) {
	fmt.Fprintf(out, "| | %s |\n|---|%s\n", strings.Join(runtimes, " | "), strings.Repeat("---|", len(runtimes)))
	for _, quantity := range m.order {
		fmt.Fprintf(out, "| %s |", quantity)
		for _, r := range runtimes {
			fmt.Fprintf(out, " %s |", spread(m.values[quantity][r]))
		}
		fmt.Fprintln(out)
		bare, ok := m.bareOf(quantity)
		if !ok {
			continue
		}
		fmt.Fprintf(out, "| … of the bare loop's |")
		for _, r := range runtimes {
			fmt.Fprintf(out, " %.0f %% |", 100*median(m.values[quantity][r])/median(m.values[bare][r]))
		}
		fmt.Fprintln(out)
	}
}

// bareOf names the bare loop that a quantity of ours is compared with.
func (m *Measurements) bareOf(quantity string) (string, bool) {
	for _, bare := range []string{"/raw,", "/bare,"} {
		if other := strings.Replace(quantity, "/ours,", bare, 1); other != quantity && m.values[other] != nil {
			return other, true
		}
	}
	return "", false
}

func spread(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", digits(median(values)), digits(slices.Min(values)), digits(slices.Max(values)))
}

// digits writes a value with three digits or, if it is large, all before the point.
func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
