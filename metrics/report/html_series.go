package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// mostPoints is how many points the page has; more are thinned out.
const mostPoints = 6000

// first are the gauges that are looked at first; all others follow by their names.
var first = []metrics.Gauge{
	metrics.HeapBytes, metrics.HeapObjects, metrics.LiveBytes, metrics.LiveObjects, metrics.RSSBytes, metrics.PSSBytes, metrics.CgroupBytes, metrics.CPUSeconds, metrics.ProcessCPU, metrics.Goroutines, metrics.Threads, metrics.FDs,
	metrics.Endpoints, metrics.LocalEndpoints, metrics.Rules, metrics.Chains, metrics.IPSets, metrics.Selectors, metrics.InSync,
}

// titles are what gauges are called on the page, if it is not their name.
var titles = map[metrics.Gauge]string{
	metrics.LiveBytes: "live heap", metrics.RSSBytes: "RSS", metrics.PSSBytes: "PSS", metrics.CgroupBytes: "memory of the cgroup", metrics.CPUSeconds: "CPU, children included",
	metrics.ProcessCPU: "CPU of the process", metrics.FDs: "file descriptors", metrics.IPSets: "sets", metrics.InSync: "in sync",
}

// series returns all that was sampled, and a note on how, if it is not shown as it is. Of what counts up it is how fast.
func (rec Record) series() (page.Points, string) {
	p := page.Points{Began: rec.began().UnixMilli(), Times: []page.Seconds{}, Series: []page.Series{}, Gaps: []int{}, Settled: []int{}}
	gauges := map[metrics.Gauge]bool{}
	for i, point := range rec.Points {
		p.Times = append(p.Times, rec.since(point.At))
		if point.Settled {
			p.Settled = append(p.Settled, i)
		}
		if len(point.Gaps) > 0 {
			p.Gaps = append(p.Gaps, i)
		}
		for g := range point.Values {
			gauges[g] = true
		}
	}
	rank := func(g metrics.Gauge) int {
		if i := slices.Index(first, g); i >= 0 {
			return i
		}
		return len(first)
	}
	for _, g := range slices.SortedFunc(maps.Keys(gauges), func(a, b metrics.Gauge) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) }) {
		p.Series = append(p.Series, rec.oneSeries(g, p.Times))
	}
	p.Series = append(p.Series, rec.vitalsAt(p.Times)...)
	if len(p.Times) <= mostPoints {
		return p, ""
	}
	n := len(p.Times)
	p, most := thin(p, mostPoints)
	return p, fmt.Sprintf("Of %d points, %d are shown: the lowest and the highest of each %d.", n, len(p.Times), most)
}

func (rec Record) oneSeries(g metrics.Gauge, times []page.Seconds) page.Series {
	name, unit := named(g)
	s := page.Series{Name: string(g), Title: cmp.Or(titles[g], strings.ReplaceAll(name, "_", " ")), Unit: unit, Values: make(page.Values, len(rec.Points))}
	if cumulative(g) {
		s.Unit = "cores"
	}
	for i, p := range rec.Points {
		v, ok := p.Values[g]
		if !ok {
			v = math.NaN()
		}
		s.Values[i] = v
	}
	if cumulative(g) {
		s.Values = speed(s.Values, times)
	}
	return s
}

// named takes the unit off a gauge's name.
func named(g metrics.Gauge) (name, unit string) {
	for _, unit := range []string{"bytes", "seconds"} {
		if name, ok := strings.CutSuffix(string(g), "_"+unit); ok {
			return name, unit
		}
	}
	return string(g), ""
}

// vitalsAt returns how well driver and machine could do their work, each value at the last point before it.
func (rec Record) vitalsAt(times []page.Seconds) []page.Series {
	var all []page.Series
	for _, of := range vitalSeries {
		s := page.Series{Name: of.name, Title: of.title, Unit: of.unit, Values: make(page.Values, len(times))}
		for i := range s.Values {
			s.Values[i] = math.NaN()
		}
		any, i := false, 0
		for _, v := range rec.Vitals {
			value, ok := of.of(v)
			for at := rec.since(v.At); i+1 < len(times) && times[i+1] <= at; {
				i++
			}
			if ok && i < len(times) && v.Took > 0 {
				s.Values[i], any = math.Round(1e4*value/v.Took.Seconds())/1e4, true
			}
		}
		if any {
			all = append(all, s)
		}
	}
	return all
}

// speed returns how fast values grew since the one before, a second; NaN where that is not known, or a restart made them less.
func speed(values page.Values, times []page.Seconds) page.Values {
	const least = 0.2 // between two points; what counts up does so in ticks of 10 ms
	grown := make(page.Values, len(values))
	last := -1
	for i, v := range values {
		grown[i] = math.NaN()
		if math.IsNaN(v) {
			continue
		}
		if last >= 0 {
			took := float64(times[i] - times[last])
			if took < least {
				continue
			}
			if v >= values[last] {
				grown[i] = (v - values[last]) / took
			}
		}
		last = i
	}
	return grown
}

// thin keeps, of each few points that follow one another, the lowest and the highest value of every series, in their order, as the first and
// the last of these points. Points that are settled stay as they are, and those that lack something are put together with their like alone: while an
// agent is away all do. It returns how many the few are.
func thin(p page.Points, most int) (page.Points, int) {
	few := (2*len(p.Times) + most - 1) / most
	alone, lacks := map[int]bool{}, map[int]bool{}
	for _, i := range p.Settled {
		alone[i] = true
	}
	for _, i := range p.Gaps {
		lacks[i] = true
	}
	out := page.Points{Began: p.Began, Gaps: []int{}, Settled: []int{}}
	for _, s := range p.Series {
		s.Values = nil
		out.Series = append(out.Series, s)
	}
	moved := map[int]int{}
	for i := 0; i < len(p.Times); {
		n := i + 1
		for !alone[i] && n < len(p.Times) && n-i < few && !alone[n] && lacks[n] == lacks[i] {
			n++
		}
		moved[i] = len(out.Times)
		if lacks[i] {
			out.Gaps = append(out.Gaps, len(out.Times))
			if n > i+1 {
				out.Gaps = append(out.Gaps, len(out.Times)+1)
			}
		}
		out.Times = append(out.Times, p.Times[i])
		if n > i+1 {
			out.Times = append(out.Times, p.Times[n-1])
		}
		for k := range out.Series {
			a, b := extremes(p.Series[k].Values[i:n])
			out.Series[k].Values = append(out.Series[k].Values, a)
			if n > i+1 {
				out.Series[k].Values = append(out.Series[k].Values, b)
			}
		}
		i = n
	}
	for _, i := range p.Settled {
		out.Settled = append(out.Settled, moved[i])
	}
	return out, few
}

// extremes returns the lowest and the highest value in the order in which they come; NaN where there is none.
func extremes(values page.Values) (a, b float64) {
	low, high := -1, -1
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if low < 0 || v < values[low] {
			low = i
		}
		if high < 0 || v > values[high] {
			high = i
		}
	}
	if low < 0 {
		return math.NaN(), math.NaN()
	}
	return values[min(low, high)], values[max(low, high)]
}
