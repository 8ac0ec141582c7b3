package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

const (
	finest    = 500 // bars and rates are told apart down to this part of a timeline
	mostMarks = 300
)

// whole returns the timeline of the run; nil if nothing was recorded.
func (rec Record) whole() *page.Timeline {
	if len(rec.Scenarios) == 0 && len(rec.Points) == 0 {
		return nil
	}
	from, to := rec.began(), rec.end()
	line := &page.Timeline{From: 0, To: rec.since(to)}
	scenarios := page.Lane{Name: "scenarios", Bars: []page.Bar{}}
	var operations []Operation
	var findings []Finding
	for _, sc := range rec.Scenarios {
		if sc.Skipped != "" {
			continue
		}
		scenarios.Bars = append(scenarios.Bars, page.Bar{
			From: rec.since(sc.Started), To: rec.since(rec.endOf(sc)), Kind: sc.Verdict.String(), Text: plain(sc.Name) + ": " + sc.Verdict.String(), Label: true,
		})
		operations = append(operations, sc.Operations...)
		for _, f := range sc.Findings {
			if f.broken() != "" || len(f.Excused) > 0 {
				findings = append(findings, f)
			}
		}
	}
	line.Lanes = []page.Lane{scenarios, rec.operationLane(operations, from, to), rec.findingLane(findings, rec.Events, from, to)}
	line.Rates = rec.rates(operations, from, to)
	line.Marks = rec.marks(findings, rec.Events, from, to)
	return line
}

// timeline returns that of a scenario.
func (rec Record) timeline(sc Scenario) *page.Timeline {
	from, to := sc.Started, rec.endOf(sc)
	line := &page.Timeline{From: rec.since(from), To: rec.since(to)}
	steps := page.Lane{Name: "steps", Bars: []page.Bar{}}
	for _, s := range sc.Steps {
		b := page.Bar{From: rec.since(s.Started), To: rec.since(s.Ended), Kind: "step", Text: plain(inStep(s.Name, s.Cycle)), Label: true}
		if s.Ended.IsZero() {
			b.To, b.Text = line.To, b.Text+" (did not end)"
		}
		steps.Bars = append(steps.Bars, b)
	}
	var events []Event
	for _, e := range rec.Events {
		if !e.At.Before(from) && !e.At.After(to) {
			events = append(events, e)
		}
	}
	line.Lanes = []page.Lane{steps, rec.operationLane(sc.Operations, from, to), rec.findingLane(sc.Findings, events, from, to)}
	line.Rates = rec.rates(sc.Operations, from, to)
	line.Measured = rec.measures(sc)
	line.Marks = rec.marks(sc.Findings, events, from, to)
	return line
}

// The most that one plot of measurements shows.
const (
	mostLines  = 8
	mostValues = 1500
)

// measures returns a plot for each name of what was measured in a scenario, with the values of each combination of labels at their times.
// Durations stand for themselves; anything else that was taken again and again is a quantity over time.
func (rec Record) measures(sc Scenario) []page.Measures {
	var all []page.Measures
	for _, m := range sc.Measurements {
		samples := slices.SortedStableFunc(slices.Values(m.Samples), func(a, b metrics.Sample) int { return a.At.Compare(b.At) })
		if len(samples) < 2 || !samples[0].At.Before(samples[len(samples)-1].At) {
			continue
		}
		title := plain(measured{Measurement: m}.title())
		i := slices.IndexFunc(all, func(p page.Measures) bool { return p.Title == title })
		if i < 0 {
			unit, _ := m.Unit.Shown()
			i, all = len(all), append(all, page.Measures{Title: title, Unit: unit})
		}
		if len(all[i].Lines) == mostLines {
			all[i].More++
			continue
		}
		all[i].Lines = append(all[i].Lines, rec.measure(m, samples))
	}
	return all
}

// measure returns the values of one measurement: of very many, every few of them the highest.
func (rec Record) measure(m metrics.Measurement, samples []metrics.Sample) page.Measure {
	var words []string
	for _, l := range m.Labels {
		words = append(words, l.Value)
	}
	line := page.Measure{Name: plain(strings.Join(words, ", ")), Apart: m.Unit == metrics.Seconds}
	_, factor := m.Unit.Shown()
	few := (len(samples) + mostValues - 1) / mostValues
	for part := range slices.Chunk(samples, few) {
		high := slices.MaxFunc(part, func(a, b metrics.Sample) int { return cmp.Compare(a.Value, b.Value) })
		line.Times, line.Values = append(line.Times, rec.since(high.At)), append(line.Values, math.Round(1e4*factor*high.Value)/1e4)
	}
	return line
}

// end is the last time of which something is recorded.
func (rec Record) end() time.Time {
	last := later(rec.began(), rec.Run.Ended)
	for _, sc := range rec.Scenarios {
		last = later(last, rec.endOf(sc))
	}
	if n := len(rec.Points); n > 0 {
		last = later(last, rec.Points[n-1].At)
	}
	return last
}

// endOf is when a scenario ended or, if it did not, the last time of which something is recorded in it.
func (rec Record) endOf(sc Scenario) time.Time {
	if !sc.Ended.IsZero() {
		return sc.Ended
	}
	last := sc.Started
	for _, s := range sc.Steps {
		last = later(later(last, s.Started), s.Ended)
	}
	for _, o := range sc.Operations {
		last = later(last, o.At.Add(o.Took))
	}
	for _, f := range sc.Findings {
		last = later(last, f.At)
	}
	for _, p := range rec.Points {
		if p.Scenario == sc.Name {
			last = later(last, p.At)
		}
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// operationLane tells operations that a plot could not tell apart as one bar.
func (rec Record) operationLane(operations []Operation, from, to time.Time) page.Lane {
	lane, apart := page.Lane{Name: "operations", Bars: []page.Bar{}}, to.Sub(from)/finest
	for i := 0; i < len(operations); {
		first, end := operations[i], operations[i].At
		counts, verbs := map[string]int{}, []string(nil)
		n := i
		for ; n < len(operations) && operations[n].At.Sub(first.At) <= apart; n++ {
			o := operations[n]
			if counts[o.Verb] == 0 {
				verbs = append(verbs, o.Verb)
			}
			counts[o.Verb] += o.Count
			end = later(end, o.At.Add(o.Took))
		}
		text := strings.TrimSpace(first.what() + " " + first.some())
		if n > i+1 {
			for k, verb := range verbs {
				verbs[k] = fmt.Sprintf("%s × %d", verb, counts[verb])
			}
			text = strings.Join(verbs, ", ")
		}
		lane.Bars = append(lane.Bars, page.Bar{From: rec.since(first.At), To: rec.since(end), Kind: "operation", Text: plain(text)})
		i = n
	}
	return lane
}

// findingLane has a bar for each finding that is not as it must be, for what was excused and for each event; of those that agreed, one for all
// that a plot could not tell apart.
func (rec Record) findingLane(findings []Finding, events []Event, from, to time.Time) page.Lane {
	lane, apart := page.Lane{Name: "findings", Bars: []page.Bar{}}, to.Sub(from)/finest
	var agreed page.Bar
	n, since := 0, time.Time{}
	flush := func() {
		if n > 0 {
			agreed.Text = fmt.Sprintf("%d checks agreed", n)
			lane.Bars = append(lane.Bars, agreed)
		}
		n = 0
	}
	var bad []page.Bar
	for _, f := range findings {
		kind, text := "", f.title()
		switch why := f.broken(); {
		case f.fails():
			kind, text = "fail", text+": "+why
		case why != "":
			kind, text = "inconclusive", text+": "+why
		case len(f.Excused) > 0:
			var all Excused
			for _, e := range f.Excused {
				all.add(e)
			}
			kind, text = "excused", fmt.Sprintf("%s: %s excused", text, all.what())
		}
		bar := page.Bar{From: rec.since(later(from, f.At.Add(-f.Took))), To: rec.since(f.At), Kind: kind, Text: plain(text)}
		if kind != "" {
			bad = append(bad, bar)
			continue
		}
		if n > 0 && f.At.Sub(since) > apart {
			flush()
		}
		if n == 0 {
			agreed, since = page.Bar{From: bar.To, Kind: "pass"}, f.At
		}
		n, agreed.To = n+1, bar.To
	}
	flush()
	lane.Bars = append(lane.Bars, bad...) // over the others
	for _, e := range events {
		at := rec.since(e.At)
		lane.Bars = append(lane.Bars, page.Bar{From: at, To: at, Kind: "event", Text: plain(e.Describe(rec.Run.Target))})
	}
	return lane
}

// marks are what concerns every plot: when something was wrong, what of it is excused, when a container ended or began, and where a scrape failed.
func (rec Record) marks(findings []Finding, events []Event, from, to time.Time) []page.Bar {
	marks, excused, gaps := []page.Bar{}, []page.Bar{}, []page.Bar{}
	for i, p := range rec.Points {
		if len(p.Gaps) > 0 && i > 0 && !p.At.Before(from) && !p.At.After(to) {
			gaps = append(gaps, page.Bar{From: rec.since(later(from, rec.Points[i-1].At)), To: rec.since(p.At), Kind: "gap", Text: plain(p.Gaps[0].Source + ": " + p.Gaps[0].Reason)})
		}
	}
	for _, f := range findings {
		for _, e := range f.Excused {
			for _, d := range windowsOf(e.Examples) {
				excused = append(excused, page.Bar{From: rec.since(d.From), To: rec.since(d.Until), Kind: "excused", Text: plain(e.Issue + ": " + d.Fact)})
			}
		}
		if !f.fails() {
			continue
		}
		if len(f.windows()) == 0 {
			marks = append(marks, page.Bar{From: rec.since(later(from, f.At.Add(-f.Took))), To: rec.since(f.At), Kind: "fail", Text: plain(f.title())})
		}
		for _, d := range f.windows() {
			marks = append(marks, page.Bar{From: rec.since(d.From), To: rec.since(d.Until), Kind: "fail", Text: plain(d.Fact)})
		}
	}
	for _, e := range events {
		at := rec.since(e.At)
		marks = append(marks, page.Bar{From: at, To: at, Kind: "event", Text: plain(e.Describe(rec.Run.Target))})
	}
	// An agent that is away leaves many gaps: they must not take the place of what was wrong, nor must what is excused.
	for _, lesser := range [][]page.Bar{excused, gaps} {
		room := max(mostMarks-len(marks), 0)
		marks = append(lesser[:min(len(lesser), room)], marks[:min(len(marks), mostMarks)]...) // never nil: the page goes over it
	}
	return marks
}

// widths are those of the parts for which a rate is told, in seconds.
var widths = []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600}

// rates returns how many objects were changed a second. A batch counts evenly for as long as it took.
func (rec Record) rates(operations []Operation, from, to time.Time) page.Rates {
	whole, width := to.Sub(from).Seconds(), widths[len(widths)-1]
	for _, w := range widths {
		if whole/w <= finest/2 {
			width = w
			break
		}
	}
	r := page.Rates{Width: page.Seconds(width), Values: make(page.Values, max(int(whole/width)+1, 1))}
	for _, o := range operations {
		begin := o.At.Sub(from).Seconds()
		took := max(o.Took.Seconds(), 1e-3)
		for i := max(int(begin/width), 0); i < len(r.Values) && float64(i)*width < begin+took; i++ {
			overlap := min(begin+took, float64(i+1)*width) - max(begin, float64(i)*width)
			r.Values[i] += float64(o.Count) * max(overlap, 0) / took / width
		}
	}
	for i, v := range r.Values {
		r.Values[i] = float64(int(v*1000+0.5)) / 1000
	}
	return r
}
