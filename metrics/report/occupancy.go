package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/nodefv/nodefv/metrics"
)

// occupancy is what the SUT held during a scenario, as far as it was read.
type occupancy struct {
	peak, mean, end, settled metrics.Snapshot // under load; end: of the last step; settled: the last reading that was
	used                     metrics.Snapshot // of what counts up, such as CPU: what was added during the scenario
	steps                    []stepEnd        // in the order in which they ended last
}

// stepEnd is the last that was read in a step.
type stepEnd struct {
	step string
	held metrics.Snapshot
}

// cumulative reports whether a gauge counts up from when its process began.
func cumulative(g metrics.Gauge) bool { return slices.Contains(metrics.CountsUp, g) }

// occupancy reads what was held in the scenario. Under load are the readings of the steps that it names: not those of its beginning and of
// its clean-up.
func (rec Record) occupancy(sc Scenario) occupancy {
	o := occupancy{peak: metrics.Snapshot{}, mean: metrics.Snapshot{}, used: metrics.Snapshot{}}
	previous, count := metrics.Snapshot{}, map[metrics.Gauge]float64{}
	for _, p := range rec.Points {
		if p.Scenario != sc.Name || sc.Skipped != "" || !sc.includes(p.At) {
			continue
		}
		loaded := slices.ContainsFunc(sc.Steps, func(s Step) bool { return s.Name == p.Step })
		held := metrics.Snapshot{}
		for g, v := range p.Values {
			switch {
			case cumulative(g):
				// A restarted agent counts from 0 again, so only steps upwards add up.
				if before, ok := previous[g]; ok {
					o.used[g] += max(v-before, 0)
				}
				previous[g] = v
			case loaded:
				held[g] = v
				if !p.Settled {
					o.peak[g] = max(v, o.peak[g])
					o.mean[g] += v
					count[g]++
				}
			}
		}
		if loaded {
			o.ended(p.Step, held)
		}
		if p.Settled {
			o.settled = merged(o.settled, held)
		}
	}
	for g, n := range count {
		o.mean[g] /= n
	}
	if n := len(o.steps); n > 0 {
		o.end = o.steps[n-1].held
	}
	return o
}

// ended notes what was read in a step; what was read of it before counts for gauges that were not read now.
func (o *occupancy) ended(step string, held metrics.Snapshot) {
	i := slices.IndexFunc(o.steps, func(s stepEnd) bool { return s.step == step })
	if i >= 0 {
		held = merged(o.steps[i].held, held)
		o.steps = slices.Delete(o.steps, i, i+1)
	}
	o.steps = append(o.steps, stepEnd{step, held})
}

func merged(before, now metrics.Snapshot) metrics.Snapshot {
	all := metrics.Snapshot{}
	maps.Copy(all, before)
	maps.Copy(all, now)
	return all
}

func (o occupancy) empty() bool { return len(o.peak)+len(o.used)+len(o.settled) == 0 }

// Peak returns the highest reading of a gauge under load in the scenario, or of one that counts up, what was added; false: there is none.
func (rec Record) Peak(sc Scenario, g metrics.Gauge) (float64, bool) {
	o := rec.occupancy(sc)
	if v, ok := o.used[g]; ok {
		return v, true
	}
	v, ok := o.peak[g]
	return v, ok
}

func writeOccupancy(b *bytes.Buffer, rec Record) {
	var rows, steps bytes.Buffer
	for _, sc := range rec.Scenarios {
		o := rec.occupancy(sc)
		if o.empty() {
			continue
		}
		cells := []string{sc.Name}
		for _, g := range []metrics.Gauge{metrics.HeapBytes, metrics.RSSBytes} {
			for _, s := range []metrics.Snapshot{o.peak, o.mean, o.end, o.settled} {
				cells = append(cells, reading(s, g))
			}
		}
		row(&rows, append(cells, reading(o.used, metrics.CPUSeconds))...)
		for _, s := range o.steps {
			row(&steps, sc.Name, s.step, reading(s.held, metrics.Endpoints), reading(s.held, metrics.HeapBytes), reading(s.held, metrics.RSSBytes))
		}
	}
	if rows.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "\nHeap and RSS of the agent: peak and mean under load, that is in the scenario's steps without beginning and clean-up; "+
		"as last read in the last step; and settled, after a garbage collection, where a step asks for that. CPU used during the scenario, children included.\n\n")
	b.WriteString("| scenario | heap: peak | mean | end | settled | RSS: peak | mean | end | settled | CPU |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	b.Write(rows.Bytes())
	if steps.Len() > 0 {
		b.WriteString("\nAs last read in each step:\n\n| scenario | step | endpoints | heap | RSS |\n|---|---|---:|---:|---:|\n")
		b.Write(steps.Bytes())
	}
}

func reading(snap metrics.Snapshot, g metrics.Gauge) string {
	if v, ok := snap[g]; ok {
		return g.Format(v)
	}
	return unknown
}
