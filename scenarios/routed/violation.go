package routed

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// violation is a row of requests of one route, without a right one between, that were answered as they must not be.
type violation struct {
	row
	of      *Proxied
	asking  *asking
	times   []report.Packet // of the first
	answers []string        // that differ
	changes []report.ModelChange
}

// violated notes a request that was answered as it must not be. The lock is held.
func (v *requestWatch) violated(a *asking, is verdict, o Outcome, t span) {
	if a.wrong != nil && a.wrong.met != metBy(o) {
		v.end(a)
	}
	if a.wrong == nil {
		a.wrong = &violation{of: v.of, asking: a, row: row{asked: v.of.named(a.key), met: metBy(o), legal: is.legal.String(), first: t.from}}
		if last := v.history.last(is, t); last != nil {
			a.wrong.after, a.wrong.changed = last.verb, last.begun
		}
		for _, c := range v.history.around(is, a.key, t) {
			a.wrong.changes = append(a.wrong.changes, c.record(is, a.key))
		}
		v.seen.violations = append(v.seen.violations, a.wrong)
	}
	b := a.wrong
	b.number++
	if t.from.Before(b.first) {
		b.first = t.from
	}
	if t.until.After(b.last) {
		b.last = t.until
	}
	if len(b.times) < maxAround {
		b.times = append(b.times, report.Packet{Sent: t.from, Gone: t.until})
	}
	if said := o.String(); len(b.answers) < maxAround && !slices.Contains(b.answers, said) {
		b.answers = append(b.answers, said)
	}
}

// end ends the row that is under way. The lock is held.
func (v *requestWatch) end(a *asking) { a.wrong = nil }

// metBy is what a violation meets, in the words by which known issues tell violations apart.
func metBy(o Outcome) string {
	switch {
	case o.Failure != "":
		return string(o.Failure)
	case o.Pod != (workloads.Key{}):
		return wrongBackend
	}
	return strconv.Itoa(o.Status)
}

// difference is the violation as data, and in words.
func (b *violation) difference() report.Difference {
	protocol, to := "HTTP", b.of.HTTP
	if b.asking.request.TLS {
		protocol, to = "HTTPS", b.of.HTTPS
	}
	v := report.Violation{
		ViolationClass: report.ViolationClass{Family: report.IPv4, Protocol: protocol},
		Flow: report.FlowEnds{
			From: report.FlowEnd{Pod: "node", Addr: to.Addr().String()}, To: report.FlowEnd{Pod: "node", Addr: to.Addr().String()}, Protocol: protocol, Port: int(to.Port()),
		},
		Request: b.asking.key, Answers: b.answers, Times: b.times, Changes: b.changes,
	}
	if to.Addr().Is6() {
		v.Family = report.IPv6
	}
	return b.row.difference(v, b.String(), report.Requests, report.Request)
}

// String tells what was met in one line.
func (b *violation) String() string {
	long, since := b.lasted()
	if b.number == 1 {
		return fmt.Sprintf("1 request met %s at %s", b.answers[0], since)
	}
	return fmt.Sprintf("%d requests met %s within %v from %s on", b.number, strings.Join(b.answers, ", "), long, since)
}

// tellLost tells how many requests failed while who was asked was kept from running; empty: none did.
func tellLost(who string, lost map[string]int) string {
	var all []string
	sum := 0
	for _, how := range slices.Sorted(maps.Keys(lost)) {
		all, sum = append(all, fmt.Sprintf("%d %s", lost[how], how)), sum+lost[how]
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("%d requests were lost while %s was kept from running: %s", sum, who, strings.Join(all, ", "))
}
