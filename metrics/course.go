package metrics

import (
	"math"
	"time"
)

// Course is how something went: curves on common axes, which every format draws without knowing them.
type Course struct {
	Name   string    `json:"name"`             // unique in its scenario, in lower case words
	Doc    string    `json:"doc,omitempty"`    // for who looks at it
	Unit   Unit      `json:"unit,omitempty"`   // of all values
	Began  time.Time `json:"began,omitzero"`   // what X counts from; zero: X are shares of all values, from 0 to 1
	Every  float64   `json:"every,omitempty"`  // how far X are apart; where they are farther, nothing is known and a line is broken
	Curves []Curve   `json:"curves,omitempty"` // the most telling first
}

// Curve is one line.
type Curve struct {
	Name   string    `json:"name"`   // what the line is, such as "P99"
	X      []float64 `json:"x"`      // seconds or shares, ascending
	Values []float64 `json:"values"` // one for each X, in the course's unit
}

// Add adds a point.
func (c *Curve) Add(x, value float64) { c.X, c.Values = append(c.X, x), append(c.Values, value) }

// Quantiles is the course of a measurement's values from the least to the largest, the rare ones as wide as the frequent. It is empty
// if there are less than two values.
func (m Measurement) Quantiles() Course {
	c := Course{Name: m.Name + " by percentile", Doc: m.Doc, Unit: m.Unit}
	n := m.N()
	if n < 2 {
		return c
	}
	curve := Curve{Name: m.Name}
	const steps = 20 // for each nine
	for i := 0; ; i++ {
		rest := math.Pow(10, -float64(i)/steps)
		curve.Add(1-rest, m.Quantile(1-rest))
		if rest*float64(n) <= 1 {
			break
		}
	}
	c.Curves = []Curve{curve}
	return c
}
