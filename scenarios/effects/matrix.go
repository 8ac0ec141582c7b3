package effects

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Matrix is what became of all flows between a choice of pods, beside what the oracle says.
type Matrix struct {
	Chosen    string // how the pods were chosen
	Flows     []Flow
	Want, Got Outcomes
}

// TryMatrix tries every flow, on each of Ports by each of Protocols, and some by what else policies name, between up to most of the local
// pods and as many remote ones, chosen by Representatives with the world's draws.
func TryMatrix(ctx context.Context, w *engine.World, most int) (Matrix, error) {
	s := w.Fleet.State()
	here, elsewhere := talkers(s)
	local, aboutLocal := Representatives(s, here, most, w.Rand)
	remote, aboutRemote := Representatives(s, elsewhere, most, w.Rand)
	m := Matrix{Chosen: "local: " + aboutLocal + "; remote: " + aboutRemote, Flows: flowsAmong(s, local, remote), Want: Outcomes{}}
	x := workloads.NewIndex(s)
	for _, f := range m.Flows {
		m.Want[f] = outcome(passes(x, f, s))
	}
	var err error
	m.Got, err = Of(w).dial(ctx, m.Flows)
	return m, err
}

// Differing lists the flows that do not end as the oracle says, in the order of Flows.
func (m Matrix) Differing() []Flow {
	return slices.DeleteFunc(slices.Clone(m.Flows), func(f Flow) bool { return m.Got[f] == m.Want[f] })
}

// Record returns the matrix as the record has it.
func (m Matrix) Record() *report.Connections {
	c := &report.Connections{Chosen: m.Chosen, Flows: len(m.Flows)}
	number, rows := map[string]int{}, [][]byte(nil)
	count := func(e End) int {
		i, known := number[e.String()]
		if !known {
			i = len(c.Pods)
			number[e.String()], c.Pods = i, append(c.Pods, e.String())
		}
		return i
	}
	for _, f := range m.Flows {
		count(f.From)
		count(f.To)
	}
	for range c.Pods {
		rows = append(rows, bytes.Repeat([]byte(" "), len(c.Pods)))
	}
	for _, f := range m.Flows {
		from, to := count(f.From), count(f.To)
		cell := &rows[from][to]
		if sign := m.sign(f)[0]; *cell == ' ' || *cell == '.' {
			*cell = sign
		} else if sign != '.' && sign != *cell {
			*cell = '?'
		}
		if m.Got[f] == m.Want[f] {
			continue
		}
		if c.Differing++; len(c.Differences) < report.MostConnections {
			c.Differences = append(c.Differences, report.Connection{From: from, To: to, Way: f.way(), Want: m.Want[f].String(), Got: m.Got[f].String()})
		}
	}
	for _, row := range rows {
		c.Rows = append(c.Rows, string(row))
	}
	return c
}

// String prints a table, rows from, columns to, in which only what differs stands out, and below it each flow that differs, 50 at
// most.
func (m Matrix) String() string {
	var ends []string
	number, cells, ways := map[string]int{}, map[[2]int]string{}, []string(nil)
	count := func(e End) int {
		name := e.String()
		if _, known := number[name]; !known {
			ends = append(ends, name)
			number[name] = len(ends)
		}
		return number[name]
	}
	for _, f := range m.Flows {
		at := [2]int{count(f.From), count(f.To)}
		cells[at] += m.sign(f)
		if way := f.way(); !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	differing := m.Differing()
	var b strings.Builder
	fmt.Fprintf(&b, "%d flows, %d differ from what the policies say.\n%s\n", len(m.Flows), len(differing), m.Chosen)
	fmt.Fprintf(&b, "Rows from, columns to; a cell of one dot is all right, others have a sign for each of %s:\n", strings.Join(ways, ", "))
	b.WriteString("  . as it must be, + passes and must not, - is dropped and must pass, ? something else\n\n")
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	for i := range ends {
		fmt.Fprintf(t, "\t%d", i+1)
	}
	fmt.Fprintln(t)
	for i, name := range ends {
		fmt.Fprintf(t, "%d %s", i+1, name)
		for j := range ends {
			cell := cells[[2]int{i + 1, j + 1}]
			if strings.Trim(cell, ".") == "" {
				cell = cell[:min(1, len(cell))]
			}
			fmt.Fprint(t, "\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a strings.Builder takes all
	for line := range strings.Lines(table.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	for i, f := range differing {
		if i == engine.MaxDifferences {
			fmt.Fprintf(&b, "\nand %d more", len(differing)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s: want %q got %q", f, m.Want[f].String(), m.Got[f].String())
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (m Matrix) sign(f Flow) string {
	switch got := m.Got[f]; {
	case got == m.Want[f]:
		return "."
	case got.Kind == Connected:
		return "+"
	case got.Kind == Dropped:
		return "-"
	}
	return "?"
}

// sortedClasses returns the members of each class, in the order of the classes' first members.
func sortedClasses(s workloads.State, pods []workloads.Pod) [][]workloads.Pod {
	classOf := s.Classes()
	members := map[string][]workloads.Pod{}
	for _, p := range pods {
		class := classOf(p)
		members[class] = append(members[class], p)
	}
	return slices.SortedFunc(maps.Values(members), func(a, b []workloads.Pod) int {
		return strings.Compare(a[0].String(), b[0].String())
	})
}
