//go:build linux

package web

import (
	"encoding/json"

	"github.com/nodefv/nodefv/workloads/requests"
)

// tell takes in an answer that came now.
func (p *presser) tell(due, now int64, wrong *fault) {
	in := now < p.until
	if wrong != nil {
		p.wrong(wrong)
		if in {
			p.second(now).Bad++
		}
		return
	}
	p.count.Right++
	p.turn(now)
	s := p.second(now)
	if in {
		s.Right++
	}
	p.record(p.under, now-due)
}

// wrong counts an answer that is not the wanted one.
func (p *presser) wrong(f *fault) {
	to := &p.count.Wrong
	if f.stranger {
		to = &p.count.Strangers
	}
	if *to == nil {
		*to = map[string]uint64{}
	}
	what := f.what
	if _, known := (*to)[what]; !known && len(*to) >= mostWrong {
		what = "others"
	}
	(*to)[what]++
}

// failed counts a request without an answer.
func (p *presser) failed(due int64, how requests.Failure) {
	if p.count.Failures == nil {
		p.count.Failures = map[requests.Failure]uint64{}
	}
	p.count.Failures[how]++
	if now := p.now(); now < p.until {
		p.second(now).Bad++
	}
}

// notBegun counts a connection that could not be begun.
func (p *presser) notBegun(how requests.Failure) {
	if p.count.Begun == nil {
		p.count.Begun = map[requests.Failure]uint64{}
	}
	p.count.Begun[how]++
}

// turn writes the latencies of the second that was under way down, if it is over.
func (p *presser) turn(now int64) {
	if i := p.index(now); i != p.current {
		p.second(now)
		p.keep(p.current)
		p.current = i
	}
}

// keep writes the latencies so far down as those of a second.
func (p *presser) keep(i int) {
	if text, err := json.Marshal(p.under); err == nil {
		p.seconds[i].Latency = text
	}
	p.under.Reset()
}

// share is what there is to tell once the load is over.
func (p *presser) share() share {
	if len(p.seconds) > p.current {
		p.keep(p.current)
	}
	if p.order.Load.Closed {
		p.count.Due = p.sent
	} else {
		p.count.Due = p.total
	}
	for n := p.sent; n < p.count.Due; n++ { // they were due all the same
		p.second(p.dueAt(n)).Due++
	}
	p.count.Sent = p.sent
	s := share{Count: p.count, Seconds: p.seconds, Lateness: p.lateness, Connect: p.connects, IdleLost: p.idleLost}
	for _, c := range p.all {
		switch {
		case c.idle && c.stood:
			s.IdleStood++
		case !c.idle && (c.state == free || c.state == busy):
			s.Standing++
		}
		if c.state == busy && !c.idle { // it has had its time
			p.failed(c.due, requests.TimedOut)
		}
	}
	s.Count = p.count
	return s
}
