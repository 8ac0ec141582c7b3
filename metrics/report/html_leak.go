package report

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// mostReadings is how many gauges' settled readings are drawn.
const mostReadings = 6

// leakReadings are the settled readings of gauges that moved, with the line through them: those that leak first.
func leakReadings(t leak.Trial) []page.Readings {
	var drawn []page.Readings
	answers := t.Answers()
	for _, of := range []metrics.Verdict{metrics.Fail, metrics.Inconclusive, metrics.Pass} {
		for i, a := range answers {
			level := len(t.Gauges[i].Values) > 0 && slices.Min(t.Gauges[i].Values) == slices.Max(t.Gauges[i].Values)
			if a.Verdict == of && !level && a.N >= leak.MinCycles && len(drawn) < mostReadings {
				drawn = append(drawn, readingsOf(t, t.Gauges[i], a))
			}
		}
	}
	return drawn
}

func readingsOf(t leak.Trial, s leak.Series, a leak.Answer) page.Readings {
	g := a.Gauge
	_, unit := named(g)
	r := page.Readings{
		Name: string(g), Title: plain(fmt.Sprintf("%s: %s", g, leakWords[a.Verdict])), Unit: unit, Cycles: s.Cycles, Values: s.Values, WarmUp: a.WarmUp,
		Slope: a.Slope, Low: a.Low, High: a.High, Text: plain(a.Says(t.Churned, t.Thing)),
	}
	if s.See > 0 {
		r.Text += fmt.Sprintf("; asked to see %s per cycle", g.Format(s.See))
	}
	return r
}

// growingSites are the places that hold more and more, as a table and as a flame graph of what each holds more per churned object.
func growingSites(t leak.Trial) (sites []page.Site, flame template.HTML) {
	places, answers := t.Growing()
	var stacks []page.Stack
	for i, p := range places {
		sites = append(sites, page.Site{Kind: p.Kind, Site: plain(p.Site), Per: plain(p.Per(answers[i].Slope, t.Churned)), Stack: plains(p.Stack)})
		weight := p.Bytes
		if weight <= 0 {
			weight = answers[i].Slope
		}
		stacks = append(stacks, page.Stack{Frames: plains(p.Stack), Weight: weight / float64(max(t.Churned, 1)), Text: plain(p.Per(answers[i].Slope, t.Churned))})
	}
	return sites, page.Flame(stacks)
}

func plains(lines []string) []string {
	var all []string
	for _, l := range lines {
		all = append(all, plain(l))
	}
	return all
}
