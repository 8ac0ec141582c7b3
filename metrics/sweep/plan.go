// Package sweep varies parameters of a scenario and lays what was measured side by side.
//
// It owns the plan of a sweep (which values, in which order), the journal of what came of each cell, and the tables, plots and CSV that
// are made of it. It starts nothing: the harness measures the cells. All values are plain data, all but the journal are pure functions.
package sweep

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// maxCells is how many cells a plan may have: more than anyone waits for.
const maxCells = 10000

// Axis is a parameter with the values that it takes.
type Axis struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// ParseAxis reads an axis such as "endpoints=100,300,1000".
func ParseAxis(text string) (Axis, error) {
	name, list, ok := strings.Cut(text, "=")
	a := Axis{Name: strings.TrimSpace(name)}
	if !ok || a.Name == "" {
		return a, fmt.Errorf("want NAME=VALUE,VALUE…, such as local=10,100,1000")
	}
	for v := range strings.SplitSeq(list, ",") {
		v = strings.TrimSpace(v)
		switch {
		case v == "":
			return a, fmt.Errorf("one of the values is empty")
		case slices.Contains(a.Values, v):
			return a, fmt.Errorf("%s is there twice", v)
		}
		a.Values = append(a.Values, v)
	}
	return a, nil
}

// numbers are the values as such; nil: one is none.
func (a Axis) numbers() []float64 {
	var all []float64
	for _, v := range a.Values {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// Plan is what a sweep measures: each cell of one axis, or of two, in each round.
type Plan struct {
	Scenario string            `json:"scenario"`
	Axes     []Axis            `json:"axes"`             // one or two
	Params   map[string]string `json:"params,omitempty"` // that stay as they are
	Rounds   int               `json:"rounds"`
	Seed     uint64            `json:"seed"` // of the order and of each cell's scenario
}

// Check refuses a plan that can't be.
func (p Plan) Check() error {
	cells := p.Rounds
	for _, a := range p.Axes {
		cells *= len(a.Values)
	}
	switch {
	case len(p.Axes) == 0:
		return fmt.Errorf("name one parameter, or two, with the values that it takes, such as -p local=10,100,1000")
	case len(p.Axes) > 2:
		return fmt.Errorf("%d parameters vary: two at most, or nobody can look at it; make a sweep of each pair", len(p.Axes))
	case len(p.Axes) == 2 && p.Axes[0].Name == p.Axes[1].Name:
		return fmt.Errorf("%s varies twice: give all its values at once", p.Axes[0].Name)
	case p.Rounds < 1:
		return fmt.Errorf("--repeat %d: must be at least 1", p.Rounds)
	case cells > maxCells:
		return fmt.Errorf("that makes %d cells: %d at most", cells, maxCells)
	}
	for _, a := range p.Axes {
		if _, fixed := p.Params[a.Name]; fixed {
			return fmt.Errorf("%s varies and is given as well: leave one of the two out", a.Name)
		}
	}
	return nil
}

// Cell is one point of a plan in one round.
type Cell struct {
	Values []string `json:"values"` // of the axes, in their order
	Round  int      `json:"round"`  // from 1
}

// Same reports whether two cells are one.
func (c Cell) Same(o Cell) bool { return c.Round == o.Round && slices.Equal(c.Values, o.Values) }

// Cells returns all cells in the order in which they are measured: round by round, each in a random order of its own, so that what changes
// with time on the machine does not pass for an effect of a parameter. The same seed gives the same order.
func (p Plan) Cells() []Cell {
	var all []Cell
	for round := 1; round <= p.Rounds; round++ {
		cells := []Cell{{Round: round}}
		for _, a := range p.Axes {
			var longer []Cell
			for _, c := range cells {
				for _, v := range a.Values {
					longer = append(longer, Cell{Values: append(slices.Clone(c.Values), v), Round: round})
				}
			}
			cells = longer
		}
		r := rand.New(rand.NewPCG(p.Seed, uint64(round)))
		r.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		all = append(all, cells...)
	}
	return all
}

// ParamsOf are the scenario's parameters in a cell.
func (p Plan) ParamsOf(c Cell) map[string]string {
	params := map[string]string{}
	for name, v := range p.Params {
		params[name] = v
	}
	for i, a := range p.Axes {
		params[a.Name] = c.Values[i]
	}
	return params
}

// Words tells a cell in words, such as "local=100 policies=10, round 2 of 5".
func (p Plan) Words(c Cell) string {
	var words []string
	for i, a := range p.Axes {
		words = append(words, a.Name+"="+c.Values[i])
	}
	return fmt.Sprintf("%s, round %d of %d", strings.Join(words, " "), c.Round, p.Rounds)
}
