package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Scope is a kind of figures that something falsifies.
type Scope string

// The scopes.
const (
	Times    Scope = "times"    // how long something took
	Readings Scope = "readings" // what the SUT holds, as it was read
	Peaks    Scope = "peaks"    // what a weaker load makes smaller
)

// Doubt is a reason why figures of a scenario are not to be believed.
type Doubt struct {
	Why       string
	Falsifies []Scope
}

// Sound is the validity of a scenario or a run whose figures can be believed. Another one tells why it is degraded; an empty one: nobody
// watched.
const (
	Sound    = "sound"
	degraded = "degraded: "
)

// Degraded reports whether a validity says that figures are not to be believed.
func Degraded(validity string) bool { return strings.HasPrefix(validity, degraded) }

// Where figures stop being sound. A time that is wrong by a tenth is wrong by more than what medians of runs on one quiet machine differ in;
// docs/reference/validity.md tells the source of each.
const (
	mostLost    = 0.10 // of the time, the driver could not run
	mostStolen  = 0.10 // of the processors, the hypervisor took
	mostForeign = 0.25 // of the processors, other programs used while none was idle
	fullyUsed   = 0.10 // of the processors are idle at most where none is said to be
	mostStalled = 0.10 // of the time, every program waited for memory
	mostGaps    = 0.20 // of the time, a source could not be read: as metrics.Budget allows
	leastRate   = 0.90 // of the rate that was asked for, was reached
	mostStep    = 10 * time.Millisecond
)

// Doubts returns why figures of a scenario are not to be believed; none: nothing speaks against them. It is a pure function of what was
// sampled and done in it, and not of any verdict.
func (rec Record) Doubts(sc Scenario) []Doubt {
	if sc.Skipped != "" {
		return nil
	}
	s := rec.strain(sc)
	var doubts []Doubt
	doubt := func(is bool, why string, falsifies ...Scope) {
		if is {
			doubts = append(doubts, Doubt{why, falsifies})
		}
	}
	lost := share(s.lost, s.driven)
	doubt(lost > mostLost, fmt.Sprintf("the driver could not run for %s of the time, %s at once%s", percent(lost), short(s.latest), s.cause()), Times, Peaks)
	throttled := share(s.throttled, s.driven)
	doubt(throttled > mostLost && lost <= mostLost, fmt.Sprintf("the driver was throttled for %s of the time", percent(throttled)), Times, Peaks)
	doubt(s.step != 0, fmt.Sprintf("the clock was set %s at %s", ahead(s.step), s.stepped.UTC().Format(time.TimeOnly)), Times)
	doubt(s.steal > mostStolen*s.capacity, fmt.Sprintf("the hypervisor took %s of the processors", percent(s.steal/s.capacity)), Times)
	doubt(s.foreign > mostForeign*s.capacity, fmt.Sprintf("other programs used %s of the processors while none was idle", percent(s.foreign/s.capacity)), Times)
	doubt(s.memory > mostStalled*s.watched, fmt.Sprintf("every program waited for memory for %s of the time", percent(s.memory/s.watched)), Times)
	gaps, source := rec.gaps(sc)
	doubt(gaps > mostGaps, fmt.Sprintf("for %s of the time %s could not be read", percent(gaps), source), Readings)
	reached, asked := sc.reached()
	doubt(reached < leastRate*asked, fmt.Sprintf("%.0f changes a second were made where %.0f were asked for", reached, asked), Peaks)
	return doubts
}

// ValidityOf tells in one line whether a scenario's figures can be believed.
func (rec Record) ValidityOf(sc Scenario) string {
	var why []string
	for _, d := range rec.Doubts(sc) {
		why = append(why, d.Why)
	}
	switch {
	case len(why) > 0:
		return degraded + strings.Join(why, "; ")
	case rec.strain(sc).driven > 0:
		return Sound
	}
	return ""
}

// RunValidity tells in one line whether the figures of the run can be believed, from the validity that its scenarios have been given.
func (rec Record) RunValidity() string {
	var names []string
	watched := 0
	for _, sc := range rec.Scenarios {
		if Degraded(sc.Validity) {
			names = append(names, sc.Name+": "+degradedReason(sc.Validity))
		}
		if sc.Validity != "" {
			watched++
		}
	}
	switch {
	case len(names) > 0:
		return fmt.Sprintf("%sfigures of %d of %s are not to be believed, such as those of %s", degraded, len(names), counted(watched, "scenario"), names[0])
	case watched > 0:
		return Sound
	}
	return ""
}

// Watched tells in one line how the driver and the machine were; empty if nobody watched.
func (rec Record) Watched() string {
	var s strain
	for _, v := range rec.Vitals {
		s.add(v)
	}
	var told []string
	if took := s.driven.Seconds(); took > 0 {
		told = append(told, fmt.Sprintf("the driver used %.2f cores, could not run for %s of the time (%s at once at most) and was throttled for %s",
			s.driver/took, percent(share(s.lost, s.driven)), short(s.latest), percent(share(s.throttled, s.driven))))
	}
	if s.capacity > 0 {
		told = append(told, fmt.Sprintf("of the processors the run's containers used %s, other programs %s, the hypervisor took %s", percent(s.ours/s.capacity), percent(s.used/s.capacity), percent(s.steal/s.capacity)))
	}
	lacks := map[string]bool{}
	for _, v := range rec.Vitals {
		for _, g := range v.Lacks {
			if !lacks[g.Source] {
				lacks[g.Source] = true
				told = append(told, fmt.Sprintf("%s could not be read: %s", g.Source, g.Reason))
			}
		}
	}
	return strings.Join(told, "; ")
}

// degradedReason is why figures are not to be believed; empty: they can be.
func degradedReason(validity string) string {
	if !Degraded(validity) {
		return ""
	}
	return strings.TrimPrefix(validity, degraded)
}

// validityWord is a validity without its reasons.
func validityWord(validity string) string {
	word, _, _ := strings.Cut(validity, ":")
	return cmp.Or(word, "not watched")
}

// degradedRun says of a degraded run what that means.
func (rec Record) degradedRun() string {
	said, _, _ := strings.Cut(rec.Validity, ", such as")
	return said + "; a budget on them is inconclusive"
}

// degradations says of each degraded scenario why it is, in plain lines.
func (rec Record) degradations() []string {
	var lines []string
	for _, sc := range rec.Scenarios {
		if why := degradedReason(sc.Validity); why != "" {
			lines = append(lines, plain(sc.Name+": "+why))
		}
	}
	return lines
}

// Falsified tells why figures of one of the scopes are not to be believed; empty: they can be.
func Falsified(doubts []Doubt, scopes ...Scope) string {
	var why []string
	for _, d := range doubts {
		if slices.ContainsFunc(d.Falsifies, func(s Scope) bool { return slices.Contains(scopes, s) }) {
			why = append(why, d.Why)
		}
	}
	return strings.Join(why, "; ")
}

// strain is what a scenario's vitals come to. CPU is in processor seconds.
type strain struct {
	driven, lost, latest, throttled time.Duration
	step                            time.Duration // the largest of the clock
	stepped                         time.Time
	watched                         float64 // seconds
	capacity, steal, foreign        float64 // foreign: while no processor was idle
	memory                          float64 // seconds in which every program waited for it
	driver, ours, used              float64 // used: by other programs
}

func (rec Record) strain(sc Scenario) (s strain) {
	for _, v := range rec.Vitals {
		if sc.Skipped != "" || !v.At.After(sc.Started) || !sc.Ended.IsZero() && !v.At.Add(-v.Took).Before(sc.Ended) {
			continue
		}
		s.add(v)
	}
	return s
}

func (s *strain) add(v metrics.Vitals) {
	if d := v.Driver; d != nil {
		s.driven, s.lost, s.throttled, s.latest = s.driven+v.Took, s.lost+d.Lost, s.throttled+d.Throttled, max(s.latest, d.Latest)
		s.driver += d.CPU
		if d.ClockStep.Abs() > max(mostStep, s.step.Abs()) {
			s.step, s.stepped = d.ClockStep, v.At
		}
	}
	if m := v.Machine; m != nil {
		s.watched, s.capacity, s.steal = s.watched+v.Took.Seconds(), s.capacity+m.Capacity, s.steal+m.Steal
		s.memory, s.ours, s.used = s.memory+m.Pressure["memory"], s.ours+m.Ours, s.used+m.Foreign
		if m.Idle <= fullyUsed*m.Capacity {
			s.foreign += m.Foreign
		}
	}
}

// cause tells what kept the driver from running, as far as that is known.
func (s strain) cause() string {
	if s.throttled > s.lost/5 { // Linux 6.18 counts about a third of the time for which a cgroup is throttled
		return ": its cgroup's quota was used up"
	}
	return ""
}

// gaps returns for which share of a scenario the source that failed most could not be read. While the agent was away on purpose, none can be.
func (rec Record) gaps(sc Scenario) (most float64, source string) {
	var whole time.Duration
	lost := map[string]time.Duration{}
	for i, p := range rec.Points {
		if p.Scenario != sc.Name || !sc.includes(p.At) || i == 0 || rec.Points[i-1].At.Before(sc.Started) {
			continue
		}
		span := p.At.Sub(rec.Points[i-1].At)
		whole += span
		for _, g := range p.Gaps {
			if !rec.away(p.At) {
				lost[g.Source] += span
			}
		}
	}
	for name, span := range lost {
		if s := share(span, whole); s > most || s == most && name < source {
			most, source = s, name
		}
	}
	return most, source
}

// back is how long after it began an agent may still be coming up.
const back = 5 * time.Second

// away reports whether the agent was away on purpose.
func (rec Record) away(at time.Time) bool {
	gone := false
	for _, e := range rec.Events {
		switch {
		case e.Container != "agent":
		case e.What == "exited" && e.Asked && !e.At.After(at.Add(time.Second)): // what can't be read is noticed before the harness tells
			gone = true
		case e.What == "restarted" && e.At.Add(back).Before(at):
			gone = false
		}
	}
	return gone
}

// reached returns how many changes a second a scenario made, of those for which a rate was asked, and that rate; 0: none was. Batches that
// take no second at that rate tell nothing of it.
func (sc Scenario) reached() (reached, asked float64) {
	var count, due, took float64
	for _, o := range sc.Operations {
		if o.Rate <= 0 || float64(o.Count-1)/o.Rate < 1 || o.Error != "" {
			continue
		}
		count, due, took = count+float64(o.Count-1), due+float64(o.Count-1)/o.Rate, took+o.Took.Seconds()
	}
	if count == 0 {
		return 0, 0
	}
	return count / took, count / due
}

func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func ahead(step time.Duration) string {
	if step < 0 {
		return "back by " + short(-step)
	}
	return "ahead by " + short(step)
}

// vitalSeries are vitals as series over time: what is counted in a span, in seconds.
var vitalSeries = []struct {
	name, title, unit string
	of                func(metrics.Vitals) (float64, bool)
}{
	{"driver_lost_ratio", "driver kept from running, of each second", "seconds", ofDriver(func(d metrics.DriverVitals) float64 { return d.Lost.Seconds() })},
	{"driver_cores", "CPU of the driver", "cores", ofDriver(func(d metrics.DriverVitals) float64 { return d.CPU })},
	{"machine_ours_cores", "CPU of the run", "cores", ofMachine(func(m metrics.MachineVitals) float64 { return m.Ours })},
	{"machine_foreign_cores", "CPU of other programs", "cores", ofMachine(func(m metrics.MachineVitals) float64 { return m.Foreign })},
	{"machine_steal_cores", "CPU taken by the hypervisor", "cores", ofMachine(func(m metrics.MachineVitals) float64 { return m.Steal })},
}

func ofDriver(of func(metrics.DriverVitals) float64) func(metrics.Vitals) (float64, bool) {
	return func(v metrics.Vitals) (float64, bool) {
		if v.Driver == nil {
			return 0, false
		}
		return of(*v.Driver), true
	}
}

func ofMachine(of func(metrics.MachineVitals) float64) func(metrics.Vitals) (float64, bool) {
	return func(v metrics.Vitals) (float64, bool) {
		if v.Machine == nil {
			return 0, false
		}
		return of(*v.Machine), true
	}
}
