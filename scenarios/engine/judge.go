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
		sc.Validity = rec.ValidityOf(*sc)
		sc.Verdict, sc.Reason = judgeScenario(*sc, rec)
		verdicts = append(verdicts, sc.Verdict)
	}
	rec.Validity = rec.RunValidity()
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
	if open := unmet(rec); rec.Verdict == metrics.Pass && open != "" {
		rec.Verdict, rec.Reason = metrics.Inconclusive, open
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
		if why := f.Void(); why != "" {
			return metrics.Inconclusive, why
		}
		facts += f.Facts
	}
	verdict, why := judgeFindings(sc)
	reasons := []string{why}
	weigh := func(v metrics.Verdict, w string) {
		if worse := metrics.Worst(verdict, v); worse != verdict {
			verdict, reasons = worse, nil
		}
		if v == verdict {
			reasons = append(reasons, w)
		}
	}
	doubts := rec.Doubts(sc)
	for _, b := range sc.Budgets {
		weigh(believed(doubts, report.Readings)(b.Judge(pointsOf(sc, rec.Points))))
	}
	for _, c := range rec.Run.Ceilings {
		judgeCeiling(c, sc, rec, doubts, weigh)
	}
	const unended = "it did not end: the driver stopped first"
	if sc.Leak != nil {
		if verdict == metrics.Pass && sc.Ended.IsZero() {
			weigh(metrics.Inconclusive, unended)
		}
		weigh(sc.Leak.Judge())
	}
	if verdict != metrics.Pass {
		return verdict, strings.Join(slices.DeleteFunc(reasons, func(why string) bool { return why == "" }), "; ")
	}
	if sc.Ended.IsZero() {
		return metrics.Inconclusive, unended
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

// judgeCeiling tells weigh what a ceiling of the run means for a scenario: nothing, if what it limits was not read there.
func judgeCeiling(c metrics.Ceiling, sc report.Scenario, rec report.Record, doubts []report.Doubt, weigh func(metrics.Verdict, string)) {
	if peak, ok := rec.Peak(sc, c.Gauge); ok {
		weigh(believed(doubts, report.Readings, report.Peaks)(c.JudgePeak(peak)))
	}
	for _, m := range sc.Measurements {
		switch why := report.Falsified(doubts, report.Times); {
		case !c.Of(m):
		case why != "" && m.Unit == metrics.Seconds:
			weigh(metrics.Inconclusive, fmt.Sprintf("budget %s: %s, but %s", c.Text, m.String(), why))
		default:
			weigh(believed(doubts, report.Peaks)(c.Judge(m)))
		}
	}
}

// believed makes a budget that was kept an open question where what it limits may have been smaller than it should have been. One that was
// broken all the same is broken.
func believed(doubts []report.Doubt, scopes ...report.Scope) func(metrics.Verdict, string) (metrics.Verdict, string) {
	return func(v metrics.Verdict, said string) (metrics.Verdict, string) {
		if why := report.Falsified(doubts, scopes...); v == metrics.Pass && why != "" {
			return metrics.Inconclusive, strings.TrimPrefix(said+", but "+why, ", but ")
		}
		return v, said
	}
}

// unmet names the first ceiling of the run that no scenario was judged by; empty if there is none.
func unmet(rec report.Record) string {
	for _, c := range rec.Run.Ceilings {
		met := false
		for _, sc := range rec.Scenarios {
			judgeCeiling(c, sc, rec, nil, func(metrics.Verdict, string) { met = true })
		}
		if !met {
			return fmt.Sprintf("budget %s: no scenario of the run measured that", c.Text)
		}
	}
	return ""
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
