package engine

import (
	"fmt"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// Judge returns the record with the verdict and the reason of each scenario and of the whole run. It is a pure
// function of the rest of the record, so a stored one can be judged again; rec itself is not changed.
func Judge(rec report.Record) report.Record {
	rec.Scenarios = append([]report.Scenario(nil), rec.Scenarios...)
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
			rec.Reason = Describe(rec.Events[0])
			if ofSUT(rec.Events[0]) {
				rec.Verdict, rec.Reason = metrics.Fail, "the SUT died: "+rec.Reason
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
		rec.Verdict, rec.Reason = metrics.Inconclusive, Describe(e)
		if ofSUT(e) { // it died between scenarios, so none of them was blamed
			rec.Verdict, rec.Reason = metrics.Fail, "the SUT died: "+Describe(e)
		}
	}
	return rec
}

func judgeScenario(sc report.Scenario, rec report.Record) (metrics.Verdict, string) {
	if sc.Skipped != "" {
		return metrics.Skip, sc.Skipped
	}
	if v, why, decided := judgeLife(sc, rec.Events); decided {
		return v, why
	}
	facts, verdict, why := 0, metrics.Pass, ""
	for _, f := range sc.Findings {
		if f.Kind == report.Overflow {
			return metrics.Inconclusive, f.Error
		}
		facts += f.Facts
		v, w := judgeFinding(f)
		if worse := metrics.Worst(verdict, v); worse != verdict {
			verdict, why = worse, w
		}
	}
	for _, b := range sc.Budgets {
		v, w := b.Judge(pointsOf(sc, rec.Points))
		if worse := metrics.Worst(verdict, v); worse != verdict {
			verdict, why = worse, w
		}
	}
	if verdict != metrics.Pass {
		return verdict, why
	}
	if sc.Ended.IsZero() {
		return metrics.Inconclusive, "it did not end: the driver stopped first"
	}
	if facts == 0 {
		return metrics.Inconclusive, "nothing was compared"
	}
	return metrics.Pass, strings.Join(append([]string{fmt.Sprintf("%d facts agreed", facts)}, sc.Remarks()...), "; ")
}

// judgeLife decides by what became of the containers while the scenario ran. What came first decides: a SUT that
// loses its API server is not to blame for what follows.
func judgeLife(sc report.Scenario, events []report.Event) (metrics.Verdict, string, bool) {
	for _, e := range events {
		if e.Asked || e.What != "exited" || e.At.Before(sc.Started) || (!sc.Ended.IsZero() && e.At.After(sc.Ended)) {
			continue
		}
		if ofSUT(e) {
			return metrics.Fail, "the SUT died: " + Describe(e), true
		}
		return metrics.Inconclusive, Describe(e), true
	}
	return metrics.Inconclusive, "", false
}

// ofSUT reports whether the event is about the agent or what the target puts before it.
func ofSUT(e report.Event) bool { return e.Container == "agent" || e.Container == "typha" }

// Describe tells an event in one line.
func Describe(e report.Event) string {
	s := e.Container + " " + e.What
	if e.What == "exited" {
		s += fmt.Sprintf(" with code %d", e.ExitCode)
	}
	switch {
	case e.OOM:
		s += " (out of memory)"
	case e.ExitCode == 137:
		s += " (SIGKILL)"
	case e.ExitCode == 139:
		s += " (SIGSEGV)"
	case e.ExitCode == 143:
		s += " (SIGTERM)"
	}
	if n := len(e.Log); n > 0 {
		line := e.Log[n-1]
		if strings.HasPrefix(e.Log[0], "panic: ") || strings.HasPrefix(e.Log[0], "fatal error: ") {
			line = e.Log[0] // stacks follow it
		}
		s += "; last log line: " + line
	}
	return s
}

func judgeFinding(f report.Finding) (metrics.Verdict, string) {
	where := fmt.Sprintf("%s, step %q", f.Name, f.Step)
	if f.Cycle > 1 {
		where += fmt.Sprintf(", cycle %d", f.Cycle)
	}
	switch {
	case f.Kind == report.Life:
		return metrics.Fail, f.Error
	case f.Kind != report.Expectation:
		return metrics.Inconclusive, where + ": " + f.Error
	case f.Error != "":
		return metrics.Inconclusive, where + ": could not be read: " + f.Error
	case f.Differing > 0:
		d := f.Differences[0]
		return metrics.Fail, fmt.Sprintf("%s: %d of %d facts differ after %v, first: %s: want %s, got %s", where, f.Differing, f.Facts,
			f.Bound, d.Fact, orNothing(d.Want), orNothing(d.Got))
	}
	return metrics.Pass, ""
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
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
