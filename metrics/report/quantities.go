package report

import (
	"strings"

	"github.com/nodefv/nodefv/metrics"
)

// Quantity is one number of a scenario that can be compared with the same number of another run.
type Quantity struct {
	Name  string       `json:"name"`            // what was measured, with the values of its labels, such as "rss_bytes" or "enforcement: rest, policy added, deny"
	Of    string       `json:"of"`              // which number of it: "peak", "mean", "settled", "used", "P50", "P99", "max" or "value"
	Unit  metrics.Unit `json:"unit,omitempty"`  // of the value; empty: it is a count
	Value float64      `json:"value"`           // in the unit
	N     int          `json:"n,omitempty"`     // of how many values it is; 0: of one, or of readings
	Doubt string       `json:"doubt,omitempty"` // why it is not to be believed
}

// Quantities returns what a scenario took and cost, and what was measured in it, always in the same order. It is empty for one that did not end.
func (rec Record) Quantities(sc Scenario) []Quantity {
	if sc.Duration() <= 0 {
		return nil
	}
	all := []Quantity{{Name: "duration", Of: "value", Unit: metrics.Seconds, Value: sc.Duration().Seconds()}}
	o := rec.occupancy(sc)
	add := func(g metrics.Gauge, of string, from metrics.Snapshot) {
		if v, ok := from[g]; ok {
			all = append(all, Quantity{Name: string(g), Of: of, Unit: g.Unit(), Value: v})
		}
	}
	for _, g := range metrics.CountsUp {
		add(g, "used", o.used)
	}
	for _, g := range metrics.Costs {
		add(g, "peak", o.peak)
		add(g, "mean", o.mean)
		add(g, "settled", o.settled)
	}
	for _, m := range sc.Measurements {
		all = append(all, quantitiesOf(m)...)
	}
	return all
}

func quantitiesOf(m metrics.Measurement) []Quantity {
	if m.N() == 0 {
		return nil
	}
	q := Quantity{Name: m.Name, Unit: m.Unit, N: m.N(), Doubt: m.Doubt()}
	var words []string
	for _, l := range m.Labels {
		words = append(words, l.Value)
	}
	if len(words) > 0 {
		q.Name += ": " + strings.Join(words, ", ")
	}
	if m.N() == 1 {
		q.Of, q.Value = "value", m.Quantile(1)
		return []Quantity{q}
	}
	var all []Quantity
	for _, of := range []struct {
		name string
		q    float64
	}{{"P50", 0.5}, {"P90", 0.9}, {"P99", 0.99}, {"P99.9", 0.999}, {"max", 1}} {
		q.Of, q.Value = of.name, m.Quantile(of.q)
		all = append(all, q)
	}
	return all
}
