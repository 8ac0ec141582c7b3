package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"
)

// writeEstablished writes what became of flows that were established when a change forbade them, as a Markdown table.
func writeEstablished(b *bytes.Buffer, rec Record) {
	type kind struct{ operation, protocol, direction string }
	count, cuts, gaps := map[kind]int{}, map[kind][]time.Duration{}, map[kind][]time.Duration{}
	var order []kind
	for _, sc := range rec.Scenarios {
		for _, e := range sc.Established {
			k := kind{e.Operation, e.Protocol, e.Direction}
			if count[k] == 0 {
				order = append(order, k)
			}
			count[k]++
			if !e.Continued {
				cuts[k], gaps[k] = append(cuts[k], e.Cut), append(gaps[k], e.Gap)
			}
		}
	}
	if len(order) == 0 {
		return
	}
	b.WriteString("\n## Established connections, measured: no verdict follows\n\nWhat becomes of flows that are established when a change forbids them, which the specification leaves open. In: the policies are of the receiver; out: of\n" +
		"the sender. A flow was cut so many ms after the API write began, too long by the gap between two messages at most; the others went on for as long as they were\n" +
		"watched, to the end, after new flows were denied.\n\n")
	b.WriteString("| operation | protocol | direction | goes on | cut | P50 | max | gap max |\n|---|---|---|---:|---:|---:|---:|---:|\n")
	rank := map[string]int{}
	for i, k := range order {
		if _, known := rank[k.operation]; !known {
			rank[k.operation] = i
		}
	}
	slices.SortFunc(order, func(a, c kind) int {
		return cmp.Or(cmp.Compare(rank[a.operation], rank[c.operation]), cmp.Compare(a.protocol, c.protocol), cmp.Compare(a.direction, c.direction))
	})
	for _, k := range order {
		n, cut, median, longest, gap := count[k], len(cuts[k]), "–", "–", "–"
		if cut > 0 {
			median, longest, gap = ms(Quantile(cuts[k], 0.5)), ms(Quantile(cuts[k], 1)), ms(Quantile(gaps[k], 1))
		}
		row(b, k.operation, k.protocol, k.direction, fmt.Sprintf("%d of %d", n-cut, n), fmt.Sprintf("%d of %d", cut, n), median, longest, gap)
	}
}
