package steer

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// tryEvery is how often new connections are tried on the links that carry traffic.
const tryEvery = time.Second

// patience is how long a new connection may differ from what the policies say: the agent may have to do its work first.
const patience = 3 * time.Second

// link is who talks with whom, by what.
type link struct {
	from, to workloads.Key
	protocol load.Protocol
}

// trial is what became of a new connection on a link.
type trial struct {
	effects.Trial
	since time.Time // it has been unlike what the policies say; zero: it is not
}

// tryFlows tries a new connection on each link, again and again.
func (s *Session) tryFlows(ctx context.Context) {
	for ctx.Err() == nil {
		s.orders.Lock()
		s.tryOnce(ctx)
		s.orders.Unlock()
		pause(ctx, tryEvery)
	}
}

func (s *Session) tryOnce(ctx context.Context) {
	s.mu.Lock()
	links, flows := map[effects.Flow]link{}, []effects.Flow(nil)
	for _, t := range s.traffic {
		for _, f := range t.flows {
			if s.bad(f.From, f.To) {
				continue
			}
			k := link{f.From.Key, f.To.Key, t.order.Protocol}
			f.Port = effects.Ports[0] // the traffic's own is taken
			if _, known := links[f]; !known {
				links[f] = k
				flows = append(flows, f)
			}
		}
	}
	s.mu.Unlock()
	if len(flows) == 0 {
		return
	}
	trials, err := effects.Try(ctx, s.world, flows)
	if err != nil {
		return // an end of a flow goes; else what checks all along will tell
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.tried
	s.tried = map[link]trial{}
	for f, is := range trials {
		t := trial{Trial: is}
		if is.Got != is.Want {
			if t.since = before[links[f]].since; t.since.IsZero() {
				t.since = time.Now()
			}
		}
		s.tried[links[f]] = t
	}
}
