//go:build linux

package continuous

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
)

// run is the thread's loop, until the traffic is over.
func (l *Traffic) run() error {
	events := make([]unix.EpollEvent, 512)
	for {
		over, next, err := l.step()
		if err != nil || over {
			return err
		}
		left := unix.NsecToTimespec(max(next-l.now(), 0))
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(l.poll), Events: unix.POLLIN}}, &left, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("poll", err)
		}
		n, err := unix.EpollWait(l.poll, events, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll", err)
		}
		for _, e := range events[:max(n, 0)] {
			if h := l.handlers[e.Fd]; h != nil {
				h.ready(e.Events)
			}
		}
	}
}

// step does what is due, and says when next something is.
func (l *Traffic) step() (over bool, next int64, err error) {
	l.obey()
	now := l.now()
	if err := l.begin(now); err != nil {
		return false, 0, err
	}
	if err := l.beginAgain(now); err != nil {
		return false, 0, err
	}
	l.sendDue(now)
	l.tidy(now)
	if l.stopped() {
		l.until = min(l.until, now)
	}
	// What was due before that is sent, unless it takes too long.
	if !l.ending && now >= l.until && (l.sentAll() || now >= l.until+int64(l.spec.GiveUp)) {
		l.beginEnd(now)
	}
	if l.ending && (now >= l.endsAt || l.allAnswered()) {
		return true, 0, nil
	}
	return false, l.nextDue(), nil
}

// begin begins connections at their rate.
func (l *Traffic) begin(now int64) error {
	due := min(float64(now)/1e9*l.spec.ConnectRate+1, float64(l.spec.Connections))
	for l.begun < int(due) && !l.ending {
		if err := l.connect(l.begun, 0); err != nil {
			return err
		}
		l.begun++
	}
	if l.loadBegan == 0 && l.allBegun() && l.settledConnects(now) {
		l.loadBegan = l.now()
		if l.spec.Duration > 0 {
			l.until = min(l.until, l.loadBegan+int64(l.spec.Duration))
		}
	}
	return nil
}

func (l *Traffic) allBegun() bool { return l.begun == len(l.slots) }

// settledConnects reports whether every connection stands or has failed, or has had its time.
func (l *Traffic) settledConnects(now int64) bool {
	if l.standing+l.failed >= l.spec.Connections {
		return true
	}
	last := l.slots[len(l.slots)-1]
	return now > last.begun+int64(l.spec.ConnectTimeout)
}

// connect begins a connection of a slot.
func (l *Traffic) connect(slot, again int) error {
	pair := l.spec.Pairs[slot%len(l.spec.Pairs)]
	if again > 0 && l.spec.Elsewhere {
		pair = l.elsewhere(pair)
	}
	c := &client{load: l, index: uint32(len(l.clients)), pair: pair, fd: -1}
	c.Number, c.Again, c.From, c.Remote, c.Protocol = slot, again, pair.From, pair.To, l.spec.Protocol
	c.account.latencies, c.account.late, c.account.interval = l.latencies, int64(l.spec.Late), int64(l.spec.Interval())
	if l.spec.Idle {
		c.account.late = l.lastWait()
	}
	l.clients = append(l.clients, c)
	l.slots[slot] = c
	if err := c.connect(); err != nil {
		return fmt.Errorf("begin connection %d from %s to %s: %w", slot, placeOf(pair.From), pair.To, err)
	}
	return nil
}

// again has a connection that ended begun again, if it may.
func (l *Traffic) again(c *client) {
	if c.Again < l.spec.Reconnects && !l.ending {
		l.waiting = append(l.waiting, retry{l.now() + int64(l.spec.ReconnectWait), c})
	}
}

func (l *Traffic) beginAgain(now int64) error {
	for len(l.waiting) > 0 && l.waiting[0].at <= now && !l.ending {
		c := l.waiting[0].of
		l.waiting = l.waiting[1:]
		if err := l.connect(c.Number, c.Again+1); err != nil {
			return err
		}
	}
	return nil
}

// dueAt returns when the message of that number, over all connections, is due.
func (l *Traffic) dueAt(number uint64) int64 {
	return l.loadBegan + int64(float64(number)/l.spec.Rate*1e9)
}

// sendDue sends what is due; each connection in its turn.
func (l *Traffic) sendDue(now int64) {
	for range batch {
		if l.sentAll() || l.dueAt(l.sent) > now || l.ending {
			return
		}
		l.slots[l.sent%uint64(len(l.slots))].due(l.dueAt(l.sent))
		l.sent++
	}
}

// sentAll reports whether nothing is due by the clock any more, or nothing ever is.
func (l *Traffic) sentAll() bool {
	return l.loadBegan == 0 || l.spec.Closed || l.spec.Idle || l.dueAt(l.sent) >= l.until
}

// tidy settles accounts, ends connects that take too long, and takes samples.
func (l *Traffic) tidy(now int64) {
	if now < l.tidyAt {
		return
	}
	l.tidyAt = now + int64(tidyEvery) + int64(len(l.slots))*int64(time.Microsecond) // so that many cost a tenth of the time at most
	for _, c := range l.slots {
		if c == nil {
			continue
		}
		switch {
		case l.spec.Protocol == load.UDP:
			c.account.settle(now-int64(l.spec.GiveUp), false)
			if l.spec.Closed && c.stands && len(c.account.open) == 0 { // what it waited for is lost
				c.due(now)
			}
		default:
			c.account.settle(now, true)
			if open := c.account.open; c.stands && c.fd >= 0 && len(open) > 0 && now-open[0].due > c.account.late {
				c.askTCP() // what it waits for is known now alone
			}
		}
		if !c.stands && c.Cause == "" && now > c.begun+int64(l.spec.ConnectTimeout) {
			c.end(load.ConnectTimeout)
		}
	}
	if now >= l.sampleAt {
		l.sampleAt = now - now%int64(sampleEvery) + int64(sampleEvery)
		l.sample(now)
	}
}

func (l *Traffic) sample(now int64) {
	s := load.Sample{At: time.Duration(now), Active: l.standing, Failed: l.failed}
	for _, c := range l.clients {
		s.Due += c.account.Due
		s.Answered += c.account.Back.Arrived
		s.Lost += c.account.Lost()
		if c.Cause == "" && !c.stands {
			s.Connecting++
		}
	}
	l.mu.Lock()
	l.samples = append(l.samples, s)
	l.mu.Unlock()
}

// beginEnd begins no more, and waits for what is under way. Idle connections say their one word.
func (l *Traffic) beginEnd(now int64) {
	if l.spec.Idle {
		for _, c := range l.slots {
			if c != nil && c.Cause == "" {
				c.due(now)
			}
		}
	}
	for ; !l.sentAll(); l.sent++ { // there was no time to send it
		l.slots[l.sent%uint64(len(l.slots))].account.take(l.dueAt(l.sent), false)
	}
	l.ending, l.endedAt, l.endsAt = true, min(now, l.until), now+l.lastWait()
}

// lastWait is how long the end waits for answers: longer for many idle connections, which say their one word all at once.
func (l *Traffic) lastWait() int64 {
	wait := l.spec.GiveUp
	if l.spec.Idle {
		wait += time.Duration(len(l.slots)) * 200 * time.Microsecond
	}
	return int64(wait)
}

// allAnswered reports whether nothing is under way that could still change an account.
func (l *Traffic) allAnswered() bool {
	if l.spec.Protocol == load.UDP {
		return false // what is lost or doubled is known at the end of the time alone
	}
	for _, c := range l.slots {
		if c == nil || c.Cause != "" {
			continue
		}
		for _, m := range c.account.open {
			if !m.answer {
				return false
			}
		}
	}
	return true
}

// nextDue says when step is to be called again.
func (l *Traffic) nextDue() int64 {
	next := l.tidyAt
	if l.ending {
		return min(next, l.endsAt)
	}
	if l.loadBegan == 0 && !l.allBegun() {
		next = min(next, int64(float64(l.begun)/l.spec.ConnectRate*1e9))
	}
	if !l.sentAll() {
		next = min(next, l.dueAt(l.sent))
	}
	if len(l.waiting) > 0 {
		next = min(next, l.waiting[0].at)
	}
	return next
}

// finish ends all connections and writes the report.
func (l *Traffic) finish(err error) {
	if err != nil {
		l.fail(err)
	}
	for _, c := range l.slots {
		if c != nil {
			c.end(load.Done)
		}
	}
	l.report = load.Report{Spec: l.spec, Began: l.start, Capacity: l.capacity}
	if l.loadBegan > 0 && l.ending {
		l.report.Began, l.report.Took = l.wall(l.loadBegan), time.Duration(l.endedAt-l.loadBegan)
	}
	for _, c := range l.clients {
		c.account.settle(math.MaxInt64, false)
		c.Count = c.account.Count
		c.MaxTook = time.Duration(c.account.maxTook)
		if c.account.hole > 0 {
			c.Hole = load.Hole{At: l.wall(c.account.holeAt), Took: time.Duration(c.account.hole)}
		}
		if c.Hole.Took > l.report.Hole.Took {
			l.report.Hole = c.Hole
		}
		l.report.Count.Add(c.Count)
		l.report.Connections = append(l.report.Connections, c.Connection)
	}
	l.report.Latency = measured("latency", "From when a message was due until its answer came.", l.latencies)
	l.report.Lateness = measured("lateness", "How much later than due a message was sent.", l.lateness)
	l.report.Connect = measured("connect", "From the first packet until the connection stood.", l.connects)
	l.report.Samples = l.samples
	// The last words of idle connections are due all at once.
	if m := l.report.Lateness; m.N() > 0 && !l.spec.Idle && m.Quantile(0.99) > load.Bearable.Seconds() {
		l.report.Bottleneck = fmt.Sprintf("one message in a hundred was sent %v or more after it was due",
			time.Duration(m.Quantile(0.99)*float64(time.Second)).Round(10*time.Microsecond))
	}
	if err := l.close(); err != nil {
		l.fail(err)
	}
}
