package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// Judge returns the record with the verdict and the reason of each scenario and of the whole run. It is a pure
// function of the rest of the record, so a stored one can be judged again; rec itself is not changed. What the known issues of the record
// explain is excused.
func Judge(rec report.Record) report.Record {
	rec = rec.Excuse()
	var verdicts []metrics.Verdict
	for i := range rec.Scenarios {
		sc := &rec.Scenarios[i]
		sc.Verdict, sc.Reason = judgeScenario(*sc, rec)
		verdicts = append(verdicts, sc.Verdict)
	}
	rec.Verdict, rec.Reason = metrics.Worst(verdicts...), tally(verdicts)
	if len(verdicts) == 0 {
		rec.Reason = "no scenario was run"
		if len(rec.Events) > 0 { // the environment never came up
			rec.Reason = rec.Events[0].Describe(rec.Run.Target)
			if ofSUT(rec.Events[0]) {
				rec.Verdict = metrics.Fail
			}
		}
	}
	if rec.Verdict == metrics.Skip {
		rec.Verdict, rec.Reason = metrics.Inconclusive, "every scenario was skipped"
	}
	for _, e := range rec.Events {
		if rec.Verdict != metrics.Pass || e.Asked {
			continue
		}
		rec.Verdict, rec.Reason = metrics.Inconclusive, e.Describe(rec.Run.Target)
		if ofSUT(e) { // it died between scenarios, so none of them was blamed
			rec.Verdict = metrics.Fail
		}
	}
	return rec
}

func judgeScenario(sc report.Scenario, rec report.Record) (metrics.Verdict, string) {
	if sc.Skipped != "" {
		return metrics.Skip, sc.Skipped
	}
	if v, why, decided := judgeLife(sc, rec); decided {
		return v, why
	}
	facts := 0
	for _, f := range sc.Findings {
		if f.Kind == report.Overflow {
			return metrics.Inconclusive, f.Error
		}
		facts += f.Facts
	}
	verdict, why := judgeFindings(sc)
	reasons := []string{why}
	for _, b := range sc.Budgets {
		v, w := b.Judge(pointsOf(sc, rec.Points))
		if worse := metrics.Worst(verdict, v); worse != verdict {
			verdict, reasons = worse, nil
		}
		if v == verdict {
			reasons = append(reasons, w)
		}
	}
	if sc.Leak != nil {
		v, w := sc.Leak.Judge()
		if worse := metrics.Worst(verdict, v); worse != verdict {
			verdict, reasons = worse, nil
		}
		if v == verdict {
			reasons = append(reasons, w)
		}
	}
	if verdict != metrics.Pass {
		return verdict, strings.Join(slices.DeleteFunc(reasons, func(why string) bool { return why == "" }), "; ")
	}
	if sc.Ended.IsZero() {
		return metrics.Inconclusive, "it did not end: the driver stopped first"
	}
	if facts == 0 {
		return metrics.Inconclusive, "nothing was compared"
	}
	said := []string{fmt.Sprintf("%d facts agreed", facts)}
	if sc.Leak != nil {
		_, why := sc.Leak.Judge()
		said = append(said, why)
	}
	return metrics.Pass, strings.Join(append(said, sc.Remarks()...), "; ")
}

// late is how much later than the driver, for which a scenario ends with the SUT, the harness may learn of the SUT's end.
const late = 10 * time.Second

// judgeLife decides by what became of the containers while the scenario ran. What came first decides: a SUT that
// loses its API server is not to blame for what follows.
func judgeLife(sc report.Scenario, rec report.Record) (metrics.Verdict, string, bool) {
	ended := sc.Ended
	if slices.ContainsFunc(sc.Findings, func(f report.Finding) bool { return f.Kind == report.Life }) && !ended.IsZero() {
		ended = ended.Add(late)
	}
	for _, e := range rec.Events {
		if e.Asked || e.What != "exited" || e.At.Before(sc.Started) || !ended.IsZero() && e.At.After(ended) {
			continue
		}
		if ofSUT(e) {
			return metrics.Fail, e.Describe(rec.Run.Target), true
		}
		return metrics.Inconclusive, e.Describe(rec.Run.Target), true
	}
	return metrics.Inconclusive, "", false
}

// ofSUT reports whether the event is about the agent, or what the target starts besides.
func ofSUT(e report.Event) bool { return e.Container == "agent" || e.Extra }

// judgeFindings decides by what was found: what fails outweighs what could not be looked at.
func judgeFindings(sc report.Scenario) (metrics.Verdict, string) {
	if why := report.Why(sc.Findings); why != "" {
		return metrics.Fail, why
	}
	for _, f := range sc.Findings {
		if why := f.Unknown(); why != "" {
			return metrics.Inconclusive, why
		}
	}
	return metrics.Pass, ""
}

func pointsOf(sc report.Scenario, all []metrics.Point) []metrics.Point {
	var points []metrics.Point
	for _, p := range all {
		if p.Scenario == sc.Name && !p.At.Before(sc.Started) && (sc.Ended.IsZero() || !p.At.After(sc.Ended)) {
			points = append(points, p)
		}
	}
	return points
}

func tally(vs []metrics.Verdict) string {
	count := map[metrics.Verdict]int{}
	for _, v := range vs {
		count[v]++
	}
	var parts []string
	for _, v := range []metrics.Verdict{metrics.Pass, metrics.Fail, metrics.Inconclusive, metrics.Skip} {
		if count[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[v], v))
		}
	}
	return strings.Join(parts, ", ")
}
