package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Quantile returns the smallest value that at least the share q of all is not above (the nearest rank); values must not be empty.
func Quantile(values []time.Duration, q float64) time.Duration {
	values = slices.Sorted(slices.Values(values))
	rank := int(q*float64(len(values)) + 0.999999)
	return values[min(max(rank, 1), len(values))-1]
}

// writeTimings writes how long changes took to be in force, as a Markdown table of milliseconds. A row is invalid where the packets that
// measure it came later than what they measure.
func writeTimings(b *bytes.Buffer, rec Record) {
	rows := map[[3]string][]Timing{}
	var order [][3]string
	for _, sc := range rec.Scenarios {
		for _, t := range sc.Timings {
			k := [3]string{t.Operation, t.Verdict, t.Load}
			if rows[k] == nil {
				order = append(order, k)
			}
			rows[k] = append(rows[k], t)
		}
	}
	if len(order) == 0 {
		return
	}
	b.WriteString("\n## Enforcement, ms\n\nFrom the beginning of the API write until the first packet with the new verdict was sent, and from the write's acknowledgement (P50). The gap is how\n" +
		"long before that packet none was sent: what each figure may be too long by.\n\n")
	b.WriteString("| operation | verdict | load | n | P50 | P90 | P99 | max | after the write, P50 | gap P50 | gap max | |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n")
	slices.SortStableFunc(order, func(a, c [3]string) int { return strings.Compare(a[2], c[2]) })
	for _, k := range order {
		var effective, after, gap []time.Duration
		for _, t := range rows[k] {
			effective, after, gap = append(effective, t.Effective), append(after, t.Effective-t.Written), append(gap, t.Gap)
		}
		remark := ""
		if Quantile(gap, 0.5) > Quantile(effective, 0.5)/2 || Quantile(gap, 0.99) > Quantile(effective, 0.99) {
			remark = "invalid: the probes were late"
		}
		row(b, k[0], k[1], k[2], fmt.Sprint(len(effective)), ms(Quantile(effective, 0.5)), ms(Quantile(effective, 0.9)), ms(Quantile(effective, 0.99)),
			ms(Quantile(effective, 1)), ms(Quantile(after, 0.5)), ms(Quantile(gap, 0.5)), ms(Quantile(gap, 1)), remark)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
