package effects

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

const (
	// maxTimes and maxAround bound what a violation keeps: packets, and changes and their parts.
	maxTimes, maxAround = 20, 20
	// lately is how long a change must have been in force to be of no interest to a violation any more.
	lately = 3 * time.Second
)

// violation is a row of packets of one stream that met a verdict that was not legal.
type violation struct {
	flow        Flow
	arrived     bool
	first, last time.Time
	packets     int
	times       []report.Packet // of the first
	after       change
	around      []*change        // see flowVerdicts.around
	parts       []workloads.Part // that the verdict on the first packet followed from
}

// violated notes a packet that met a verdict that was not legal.
func (t *tally) violated(l *flowVerdicts, o Observation) {
	for _, b := range slices.Backward(t.violations) {
		if b.flow == o.Flow && b.arrived == o.Arrived && o.Sent.Sub(b.last) < violationGap {
			b.add(o)
			return
		}
	}
	when := span{o.Sent, o.Gone}
	b := &violation{flow: o.Flow, arrived: o.Arrived, first: o.Sent, after: l.since(when), around: l.around(when), parts: l.at(when).parts}
	b.add(o)
	t.violations = append(t.violations, b)
}

func (b *violation) add(o Observation) {
	b.last = o.Sent
	if b.packets++; len(b.times) < maxTimes {
		b.times = append(b.times, report.Packet{Sent: o.Sent, Gone: o.Gone})
	}
}

// difference is the violation as data, and in words.
func (b *violation) difference() report.Difference {
	v := &report.Violation{
		ViolationClass: report.ViolationClass{Family: report.IPv4, Protocol: string(b.flow.Protocol), Met: report.Dropped, After: b.after.verb},
		Flow:           b.flow.record(), Legal: report.Passed, Packets: b.packets, Times: b.times,
	}
	d := report.Difference{Fact: b.flow.String(), Want: "no packet dropped", Got: b.String(), Aspect: report.Packets, Kind: report.Flow, Subject: b.flow.String(), From: b.first, Until: b.last, Violation: v}
	if b.arrived {
		d.Want, v.Met, v.Legal = "no packet passes", report.Passed, report.Dropped
	}
	if b.flow.To.Addr.Is6() {
		v.Family = report.IPv6
	}
	for _, c := range b.around {
		v.Changes = append(v.Changes, c.record(b.parts))
	}
	return d
}

// String tells a violation in one line.
func (b *violation) String() string {
	one, several := "was dropped", "were dropped"
	if b.arrived {
		one, several = "passed", "passed"
	}
	at := b.first.UTC().Format("15:04:05.000")
	told := fmt.Sprintf("%d packets %s within %v from %s on", b.packets, several, b.last.Sub(b.first).Round(100*time.Microsecond), at)
	if b.packets == 1 {
		told = fmt.Sprintf("1 packet %s at %s", one, at)
	}
	if b.after.verb != "" {
		told += fmt.Sprintf(", %v after %q began", b.first.Sub(b.after.begun).Round(100*time.Microsecond), b.after.verb)
	}
	return told
}

// around returns the changes that had begun when a packet was on its way and had not been in force for long, at most maxAround of them: those
// that concern the flow before others, and the latest before others.
func (l *flowVerdicts) around(t span) []*change {
	parts := l.at(t).parts
	var concern, others []*change
	for _, c := range slices.Backward(l.history.changes) {
		at, binds := c.binds(l.history.deadline)
		if c.begun.After(t.until) || binds && at.Add(lately).Before(t.from) {
			continue
		}
		if c.moves(parts) {
			concern = append(concern, c)
		} else {
			others = append(others, c)
		}
	}
	chosen := append(concern, others...)
	chosen = chosen[:min(len(chosen), maxAround)]
	slices.SortFunc(chosen, func(a, b *change) int { return a.number - b.number })
	return chosen
}

// record is the change as the record has it, for a flow whose verdict follows from some parts.
func (c *change) record(parts []workloads.Part) report.ModelChange {
	r := report.ModelChange{Verb: c.verb, Parts: len(c.moved), Begun: c.begun, Acknowledged: c.acked, InForce: c.held}
	for _, p := range parts {
		if _, moved := c.moved[p]; moved && len(r.Concerns) < maxAround {
			r.Concerns = append(r.Concerns, p.String())
		}
	}
	slices.Sort(r.Concerns)
	return r
}

// record is the flow as the record has it.
func (f Flow) record() report.FlowEnds {
	end := func(e End) report.FlowEnd {
		return report.FlowEnd{Pod: e.String(), Addr: e.Addr.String(), Remote: e.Remote}
	}
	return report.FlowEnds{From: end(f.From), To: end(f.To), Protocol: string(f.Protocol), Port: int(f.Port)}
}
