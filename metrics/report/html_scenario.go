package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

// The most that the page lists of one kind.
const (
	mostSteps      = 300
	mostSingle     = 12 // differences that are told one by one; of more, the first of each kind is
	mostOperations = 30 // around a failure
	leadOperations = 10 // of them before it
)

// shown returns what of the i-th scenario is on the page.
func (rec Record) shown(i int) page.Scenario {
	sc := rec.Scenarios[i]
	o := rec.occupancy(sc)
	p := page.Scenario{
		ID: fmt.Sprintf("scenario-%d", i+1), Name: plain(sc.Name), Doc: plain(sc.Doc), Verdict: sc.Verdict.String(), Reason: plain(sc.Reason), Broken: sc.broken(), Degraded: plain(degradedReason(sc.Validity)),
		Took: short(sc.Duration()), Heap: reading(o.peak, metrics.HeapBytes), RSS: reading(o.peak, metrics.RSSBytes), CPU: reading(o.used, metrics.CPUSeconds),
		Packets: sc.judged(), Remarks: sc.Remarks(),
	}
	if sc.Skipped != "" {
		return p
	}
	p.Timeline = rec.timeline(sc)
	p.Steps, p.MoreSteps = rec.steps(sc)
	p.Connections = sc.Connections.shown()
	p.Leak = sc.leaks()
	for _, c := range sc.Courses {
		p.Courses = append(p.Courses, page.Course{Doc: plain(c.Doc), Lines: rec.lines(c)})
	}
	for _, b := range sc.Budgets {
		verdict, why := b.Judge(rec.pointsOf(sc))
		p.Budgets = append(p.Budgets, page.Budget{Verdict: verdict.String(), Text: plain(why)})
	}
	if rec.Run.Command != "" {
		p.Repeat = plain(rec.Run.Repeat(sc.Name))
	}
	for _, e := range rec.deaths(sc) {
		p.Deaths = append(p.Deaths, rec.death(e))
	}
	var told []page.Operation
	for _, f := range ranked(sc.Findings) {
		if f.broken() == "" {
			continue
		}
		failure := rec.failure(sc, f)
		if slices.Equal(failure.Operations, told) {
			failure.Operations = nil // they stand above
		} else {
			told = failure.Operations
		}
		p.Failures = append(p.Failures, failure)
	}
	return p
}

func (rec Record) death(e Event) page.Death {
	d := page.Death{Text: plain(e.Describe(rec.Run.Target) + " at " + e.At.UTC().Format(time.TimeOnly))}
	for _, line := range e.Log {
		d.Log = append(d.Log, plain(line))
	}
	return d
}

func (rec Record) pointsOf(sc Scenario) []metrics.Point {
	var points []metrics.Point
	for _, p := range rec.Points {
		if p.Scenario == sc.Name && sc.includes(p.At) {
			points = append(points, p)
		}
	}
	return points
}

// judged tells how many packets were judged, and how sharply; empty if none was.
func (sc Scenario) judged() string {
	p := sc.Packets()
	if p.Judged == 0 {
		return ""
	}
	return fmt.Sprintf("%d packets judged, %.2f %% of them strictly: one verdict alone was legal.", p.Judged, 100*float64(p.Strict)/float64(p.Judged))
}

func (rec Record) failure(sc Scenario, f Finding) page.Failure {
	p := page.Failure{Title: plain(f.title()), Extent: plain(f.broken())}
	listed, told := f.Differences, len(f.Differences)
	if len(listed) > mostSingle || len(listed) < f.Differing {
		listed, told = kinds(listed)
	}
	for _, d := range listed {
		p.Differences = append(p.Differences, rec.difference(d, len(listed) == f.Differing))
	}
	if len(listed) > 0 {
		p.More = max(f.Differing-told, 0)
	}
	p.Operations = rec.around(sc, f)
	p.Around = fmt.Sprintf("Operations around it, %d of the scenario's %d", len(p.Operations), len(sc.Operations))
	for _, line := range f.Log {
		p.Log = append(p.Log, plain(line))
	}
	return p
}

// difference returns a difference alone, or as one that stands for all that are alike.
func (rec Record) difference(d Difference, alone bool) page.Difference {
	fact := d.what()
	if alone {
		fact = d.Fact
	}
	p := page.Difference{Fact: plain(fact), Want: plain(d.Want), Got: plain(d.Got)}
	if !d.From.IsZero() {
		p.When = fmt.Sprintf("at %s, for %s", rec.clock(d.From), d.Until.Sub(d.From).Round(time.Millisecond))
	}
	if d.Violation != nil {
		for _, c := range d.Violation.Changes {
			p.Changes = append(p.Changes, plain(c.told(d.From)))
		}
	}
	return p
}

// told tells a change and how long before a time it was made.
func (c ModelChange) told(at time.Time) string {
	s := fmt.Sprintf("%s, begun %s before", c.Verb, at.Sub(c.Begun).Round(time.Millisecond))
	if !c.Acknowledged.IsZero() {
		s += fmt.Sprintf(", acknowledged after %s", c.Acknowledged.Sub(c.Begun).Round(time.Millisecond))
	}
	if !c.InForce.IsZero() {
		s += fmt.Sprintf(", in force after %s", c.InForce.Sub(c.Begun).Round(time.Millisecond))
	}
	if len(c.Concerns) > 0 {
		s += ": " + strings.Join(c.Concerns, ", ")
	}
	return s
}

// clock writes a time since the run began as minutes and seconds.
func (rec Record) clock(t time.Time) string {
	ms := t.Sub(rec.began()).Milliseconds()
	return fmt.Sprintf("%d:%02d.%03d", ms/60000, ms/1000%60, ms%1000)
}

// around returns the operations that were made while what a finding found came to be, and some before them.
func (rec Record) around(sc Scenario, f Finding) []page.Operation {
	from, to := f.At.Add(-f.Took), f.At
	if timed := f.windows(); len(timed) > 0 {
		from, to = timed[0].From, timed[0].Until
		for _, d := range timed {
			if d.From.Before(from) {
				from = d.From
			}
			if d.Until.After(to) {
				to = d.Until
			}
		}
	}
	first := slices.IndexFunc(sc.Operations, func(o Operation) bool { return o.At.Add(o.Took).After(from) })
	if first < 0 {
		first = len(sc.Operations)
	}
	var list []page.Operation
	for _, o := range sc.Operations[max(0, first-leadOperations):] {
		if o.At.After(to) || len(list) == mostOperations {
			break
		}
		list = append(list, page.Operation{
			At: rec.clock(o.At), Step: plain(sc.stepOf(o)), What: plain(o.what()), Objects: plain(o.some()), Took: short(o.Took), Error: plain(o.Error),
		})
	}
	return list
}

// stepOf names the step in which an operation was made: as it says itself or, if it does not, by its time.
func (sc Scenario) stepOf(o Operation) string {
	if o.Step != "" {
		return inStep(o.Step, o.Cycle)
	}
	for _, s := range slices.Backward(sc.Steps) {
		if !s.Started.After(o.At) {
			return inStep(s.Name, s.Cycle)
		}
	}
	return ""
}

func inStep(step string, cycle int) string {
	if cycle > 1 {
		return fmt.Sprintf("%s, cycle %d", step, cycle)
	}
	return step
}

// what tells verb and count.
func (o Operation) what() string {
	if o.Count == 1 {
		return o.Verb
	}
	return fmt.Sprintf("%s × %d", o.Verb, o.Count)
}

// some names the first objects.
func (o Operation) some() string {
	const few = 3
	if n := len(o.Objects); n > few || o.Count > n && n > 0 {
		return strings.Join(o.Objects[:min(n, few)], ", ") + ", …"
	}
	return strings.Join(o.Objects, ", ")
}

// steps returns the scenario's steps with what was done and found in each, and how many more there are.
func (rec Record) steps(sc Scenario) (list []page.Step, more int) {
	operations, findings := map[string]int{}, map[string][]Finding{}
	for _, o := range sc.Operations {
		operations[sc.stepOf(o)] += o.Count
	}
	for _, f := range sc.Findings {
		step := inStep(f.Step, f.Cycle)
		findings[step] = append(findings[step], f)
	}
	for i, s := range sc.Steps {
		if i == mostSteps {
			return list, len(sc.Steps) - i
		}
		step := inStep(s.Name, s.Cycle)
		p := page.Step{Name: plain(step), Began: rec.clock(s.Started), Took: "did not end", Operations: fmt.Sprint(operations[step])}
		if !s.Ended.IsZero() {
			p.Took = short(s.Ended.Sub(s.Started))
		}
		p.Checks, p.Verdict = checks(findings[step])
		list = append(list, p)
	}
	return list, 0
}

// checks tells what findings of one step come to.
func checks(findings []Finding) (told, verdict string) {
	facts, worst := 0, metrics.Pass
	var bad []string
	for _, f := range findings {
		facts += f.Facts
		switch why := f.broken(); {
		case f.fails():
			bad, worst = append(bad, f.Name+": "+why), metrics.Fail
		case why != "":
			bad, worst = append(bad, f.Name+": "+why), metrics.Worst(worst, metrics.Inconclusive)
		}
	}
	if len(bad) > 0 {
		return plain(strings.Join(bad, "; ")), worst.String()
	}
	if len(findings) == 0 {
		return "none", ""
	}
	return fmt.Sprintf("%d, %d facts agreed", len(findings), facts), worst.String()
}

// shown returns the table of connections as the page has it; nil if there is none.
func (c *Connections) shown() *page.Connections {
	if c == nil {
		return nil
	}
	p := &page.Connections{
		Chosen: plain(c.Chosen), Extent: fmt.Sprintf("%d flows were tried, %d differ from what the policies say.", c.Flows, c.Differing),
		More: c.Differing - len(c.Differences),
	}
	texts := map[[2]int][]string{}
	for _, d := range c.Differences {
		at := [2]int{d.From, d.To}
		texts[at] = append(texts[at], fmt.Sprintf("%s: want %s, got %s", d.Way, d.Want, d.Got))
		p.Differing = append(p.Differing, page.Difference{Fact: plain(c.pod(d.From) + " to " + c.pod(d.To) + " " + d.Way), Want: plain(d.Want), Got: plain(d.Got)})
	}
	for i, pod := range c.Pods {
		p.Pods = append(p.Pods, plain(pod))
		var row []page.Connection
		if i < len(c.Rows) {
			for j, sign := range c.Rows[i] {
				row = append(row, page.Connection{Sign: strings.TrimSpace(string(sign)), Text: plain(strings.Join(texts[[2]int{i, j}], "; "))})
			}
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

func (c *Connections) pod(i int) string {
	if i < 0 || i >= len(c.Pods) {
		return "?"
	}
	return c.Pods[i]
}

// leaks returns what was learnt of leaks as the page has it; nil if that was not asked.
func (sc Scenario) leaks() *page.Leak {
	if sc.Leak == nil {
		return nil
	}
	p := &page.Leak{Intro: plain(leakIntro(*sc.Leak))}
	for i, h := range leakHeads {
		p.Heads = append(p.Heads, page.Head{Text: h, Number: i > 1 && i < len(leakHeads)-1})
	}
	for _, r := range leakRows(sc.Leak.Answers(), *sc.Leak) {
		for i := range r {
			r[i] = plain(r[i])
		}
		p.Rows = append(p.Rows, r)
	}
	worst := []string{leakWords[metrics.Fail], leakWords[metrics.Inconclusive], leakWords[metrics.Pass]}
	slices.SortStableFunc(p.Rows, func(a, b []string) int { return slices.Index(worst, a[0]) - slices.Index(worst, b[0]) })
	p.Readings = leakReadings(*sc.Leak)
	p.Sites, p.Flame = growingSites(*sc.Leak)
	p.Places = leakRest(*sc.Leak)
	return p
}
