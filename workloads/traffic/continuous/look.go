//go:build linux

package continuous

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
)

// Look says how the present connections stand, and what was answered on them since the look before; nil once the traffic is over.
// Those that were begun again are told of by the newest. It costs the thread time for each connection, so it is for some hundreds.
func (l *Traffic) Look() []load.Look {
	var all []load.Look
	seen := make(chan struct{})
	l.ask(func() {
		defer close(seen)
		for _, c := range l.slots {
			if c != nil {
				all = append(all, c.look())
			}
		}
	})
	select {
	case <-seen:
		return all
	case <-l.done:
		return nil
	}
}

// ask has the thread do something.
func (l *Traffic) ask(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, do)
	l.nudge()
}

// nudge wakes the thread; the lock is held.
func (l *Traffic) nudge() {
	if !l.closed { // else its number may be another file's
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1})
	}
}

// waker lets the thread do what it was asked for.
type waker struct{ load *Traffic }

func (w waker) ready(uint32) {
	var count [8]byte
	_, _ = unix.Read(w.load.wake, count[:]) // so that it wakes nobody again
	w.load.mu.Lock()
	asked := w.load.asked
	w.load.asked = nil
	w.load.mu.Unlock()
	for _, do := range asked {
		do()
	}
}

func (c *client) look() load.Look {
	seen := load.Look{Connection: c.Connection, Stands: c.stands && c.Cause == ""}
	seen.Count, seen.MaxTook = c.account.Count, time.Duration(c.account.maxTook)
	if c.fd >= 0 && c.Protocol != load.UDP {
		seen.Retransmits = retransmits(c.fd)
	}
	if c.account.recent == nil {
		c.account.recent = make([]time.Duration, 0, load.MostAnswers)
	}
	seen.Answers = slices.Clone(c.account.recent)
	c.account.recent = c.account.recent[:0]
	return seen
}

// remember keeps how long an answer took for the next look, if there was one before.
func (a *account) remember(took int64) {
	if a.recent == nil {
		return
	}
	if len(a.recent) == load.MostAnswers {
		a.recent = slices.Delete(a.recent, 0, load.MostAnswers/2)
	}
	a.recent = append(a.recent, time.Duration(took))
}
