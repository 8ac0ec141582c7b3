//go:build linux

package continuous

import (
	"slices"
	"time"

	"github.com/nodefv/nodefv/workloads/load"
)

// Look says how the present connections stand, and what was answered on them since the look before; nil once the traffic is over.
// Those that were begun again are told of by the newest. It costs the thread time for each connection, so it is for some hundreds.
func (l *Traffic) Look() []load.Look {
	var all []load.Look
	err := l.order(func() error {
		for _, c := range l.slots {
			if c != nil {
				all = append(all, c.look())
			}
		}
		return nil
	})
	if err != nil { // it is over
		return nil
	}
	return all
}

func (c *client) look() load.Look {
	if c.fd >= 0 && c.Protocol != load.UDP {
		c.askTCP()
	}
	seen := load.Look{Connection: c.Connection, Stands: c.stands && c.Cause == ""}
	seen.Count, seen.MaxTook = c.account.Count, time.Duration(c.account.maxTook)
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
