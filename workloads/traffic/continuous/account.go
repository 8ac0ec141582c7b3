//go:build linux

package continuous

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/load"
)

// message is one that was due and whose fate is still open, or must be remembered so that its double is known.
type message struct {
	due             int64
	sent            bool
	arrived, answer bool
	took            int64 // until the answer, from when it was due
}

// account follows the messages of a connection in the order of their numbers.
type account struct {
	load.Count
	open      []message // of the numbers from first on
	first     uint64
	there     uint64 // the highest number that arrived, plus one
	back      uint64 // and whose answer did
	badSince  int64  // when the first of those was due that were not answered in time; 0: the last one was
	hole      int64  // the longest
	holeAt    int64
	late      int64
	interval  int64
	latencies *metrics.Histogram
	lately    *hdrhistogram.Histogram // the same since the last sample
	maxTook   int64
	recent    []time.Duration // that answers took since the last look; nil: nobody looks
}

// next is the number of the message that is due next.
func (a *account) next() uint64 { return a.first + uint64(len(a.open)) }

// take notes that a message is due.
func (a *account) take(due int64, sent bool) {
	a.open = append(a.open, message{due: due, sent: sent})
	a.Due++
}

// arrive notes that a message reached its server, and reports whether it is to be answered.
func (a *account) arrive(number uint64) bool {
	m := a.at(number)
	switch {
	case m == nil:
		a.After++
		return false
	case m.arrived:
		a.There.Duplicated++
		return false
	}
	m.arrived = true
	a.There.Arrived++
	if number+1 < a.there {
		a.There.Reordered++
	}
	a.there = max(a.there, number+1)
	return true
}

// answered notes that an answer reached its client.
func (a *account) answered(number uint64, now int64) {
	m := a.at(number)
	switch {
	case m == nil:
		a.After++
		return
	case m.answer:
		a.Back.Duplicated++
		return
	}
	m.answer, m.took = true, now-m.due
	a.Back.Arrived++
	if number+1 < a.back {
		a.Back.Reordered++
	}
	a.back = max(a.back, number+1)
	_ = a.latencies.Record(time.Duration(max(m.took, 0)).Seconds())
	_ = a.lately.RecordValue(max(m.took, 0))
	a.maxTook = max(a.maxTook, m.took)
	a.remember(m.took)
	if m.took > a.late {
		a.Late++
	}
}

func (a *account) at(number uint64) *message {
	if number < a.first || number >= a.next() {
		return nil
	}
	return &a.open[number-a.first]
}

// settle closes the account of the messages that were due before a time, and with answered alone of those only that are
// answered and whose predecessors are.
func (a *account) settle(before int64, answeredAlone bool) {
	n := 0
	for n < len(a.open) && a.open[n].due < before && (!answeredAlone || a.open[n].answer) {
		a.close(a.open[n])
		n++
	}
	a.open, a.first = a.open[n:], a.first+uint64(n)
	if len(a.open) == 0 {
		a.open = nil // so that what is settled is given up
	}
}

func (a *account) close(m message) {
	switch {
	case !m.sent:
		a.Missed++
	default:
		a.Sent++
		if !m.arrived {
			a.There.Lost++
		} else if !m.answer {
			a.Back.Lost++
		}
	}
	if !m.answer || m.took > a.late {
		if a.badSince == 0 {
			a.badSince = m.due
		}
		a.noteHole(m.due + a.interval)
		return
	}
	a.noteHole(m.due)
	a.badSince = 0
}

// noteHole keeps the hole that goes on until a time if it is the longest.
func (a *account) noteHole(until int64) {
	if a.badSince != 0 && until-a.badSince > a.hole {
		a.hole, a.holeAt = until-a.badSince, a.badSince
	}
}

// newHistogram is of latencies up to ten minutes, in microseconds.
func newHistogram() *metrics.Histogram { return metrics.NewHistogram(1e-6, 600) }

func measured(name, doc string, h *metrics.Histogram) metrics.Measurement {
	return metrics.Measurement{Name: name, Doc: doc, Unit: metrics.Seconds, Histogram: h}
}
