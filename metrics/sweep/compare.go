package sweep

import (
	"cmp"
	"math"
	"regexp"
	"slices"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// Compared is one quantity in all points of a plan.
type Compared struct {
	Name, Of string // as of report.Quantity
	Unit     string // in which the values are, as it is shown; empty: they are counts
	Points   []Point
}

// Point is what was measured at one point of the plan, in all rounds whose verdict is not inconclusive.
type Point struct {
	Values           []string // of the axes
	N                int      // rounds; 0: there is nothing, and the numbers are NaN
	Low, Median, Top float64
	Doubt            string // why one of the rounds is not to be believed
	Failed           int    // rounds in which the scenario failed
}

// Title is the quantity with which number of it.
func (c Compared) Title() string {
	if c.Of == "value" {
		return c.Name
	}
	return c.Name + ", " + c.Of
}

// Compare lays the quantities side by side whose title the expression matches, in the order in which the first of each was measured. With
// nil, it is those that say most: how long, what processors and memory, and of each measurement median and P99.
func (s Sweep) Compare(show *regexp.Regexp) []Compared {
	var all []Compared
	for _, r := range s.Results {
		if r.Verdict == metrics.Inconclusive {
			continue
		}
		for _, q := range r.Quantities {
			c := Compared{Name: q.Name, Of: q.Of, Unit: string(q.Unit)}
			known := slices.ContainsFunc(all, func(o Compared) bool { return o.Name == c.Name && o.Of == c.Of })
			if !known && (show == nil && telling(q) || show != nil && show.MatchString(c.Title())) {
				all = append(all, c)
			}
		}
	}
	for i := range all {
		all[i].Points = s.points(all[i])
		all[i].scale()
	}
	return all
}

// telling reports whether a quantity is among those that are shown unless others are asked for.
func telling(q report.Quantity) bool {
	switch metrics.Gauge(q.Name) {
	case metrics.HeapBytes, metrics.RSSBytes:
		return q.Of == "peak" || q.Of == "settled"
	case metrics.CPUSeconds:
		return true
	}
	switch q.Of {
	case "peak", "mean", "settled", "used":
		return false
	}
	return q.Of == "value" || q.Of == "P50" || q.Of == "P99" && q.N >= 10
}

// grid returns the points of the plan in the axes' order.
func (p Plan) grid() [][]string {
	points := [][]string{nil}
	for _, a := range p.Axes {
		var longer [][]string
		for _, before := range points {
			for _, v := range a.Values {
				longer = append(longer, append(slices.Clone(before), v))
			}
		}
		points = longer
	}
	return points
}

func (s Sweep) points(c Compared) []Point {
	var all []Point
	for _, values := range s.Plan.grid() {
		p := Point{Values: values, Low: math.NaN(), Median: math.NaN(), Top: math.NaN()}
		var seen []float64
		for _, r := range s.Results {
			if !slices.Equal(r.Values, values) || r.Verdict == metrics.Inconclusive {
				continue
			}
			if r.Verdict == metrics.Fail {
				p.Failed++
			}
			for _, q := range r.Quantities {
				if q.Name == c.Name && q.Of == c.Of {
					seen, p.Doubt = append(seen, q.Value), cmp.Or(p.Doubt, q.Doubt)
				}
			}
		}
		if p.N = len(seen); p.N > 0 {
			p.Low, p.Median, p.Top = slices.Min(seen), median(seen), slices.Max(seen)
		}
		all = append(all, p)
	}
	return all
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// scale turns the values into a unit in which the largest median is easy to read.
func (c *Compared) scale() {
	most := 0.0
	for _, p := range c.Points {
		if p.N > 0 {
			most = max(most, math.Abs(p.Median))
		}
	}
	factor := 1.0
	switch metrics.Unit(c.Unit) {
	case metrics.Seconds:
		if c.Unit = "s"; most < 2 {
			c.Unit, factor = "ms", 1e3
		}
	case metrics.Bytes:
		c.Unit = "B"
		for _, u := range []string{"KiB", "MiB", "GiB"} {
			if most*factor >= 2048 {
				c.Unit, factor = u, factor/1024
			}
		}
	}
	for i := range c.Points {
		p := &c.Points[i]
		p.Low, p.Median, p.Top = p.Low*factor, p.Median*factor, p.Top*factor
	}
}
