package scenarios

import (
	"errors"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/traffic/shop"
)

// judged is what an error makes of a scenario.
func judged(err error) metrics.Verdict {
	switch {
	case err == nil:
		return metrics.Pass
	case errors.Is(err, engine.ErrBroken):
		return metrics.Fail
	}
	return metrics.Inconclusive
}

// judgedAmid is what an error makes of a scenario beside what the record has of an impairment.
func judgedAmid(f report.Finding, err error) metrics.Verdict {
	if f.Void() != "" {
		return metrics.Inconclusive
	}
	return judged(err)
}

// bought are the events of all orders of the scenario, each sold so often as sold says, with one receipt.
func bought(sold func(order) int) (events []shop.Event) {
	for _, o := range shopOrdersAll() {
		for i := range sold(o) {
			events = append(events, shop.Event{At: time.Unix(int64(i), 0), Order: o.name, What: shop.Sold, Ask: i + 1})
		}
		events = append(events, shop.Event{At: time.Unix(9, 0), Order: o.name, What: shop.Receipt, Ask: 9})
	}
	return events
}

func TestShopIsJudged(t *testing.T) {
	frozen := spellFrozen{from: time.Unix(1, 0), to: time.Unix(4, 0), losses: effects.Losses{Seen: 10, Lost: 10}}
	twiceWithout := func(o order) int {
		if o.keyed {
			return 1
		}
		return 2
	}
	leaky := frozen
	leaky.losses.Lost = 9
	for name, c := range map[string]struct {
		frozen spellFrozen
		sold   func(order) int
		want   metrics.Verdict
	}{
		"as it should be":     {frozen, twiceWithout, metrics.Pass},
		"the key is no use":   {frozen, func(order) int { return 2 }, metrics.Fail},
		"nothing is sold":     {frozen, func(order) int { return 0 }, metrics.Fail},
		"nobody bought twice": {frozen, func(order) int { return 1 }, metrics.Inconclusive},
		"it was not frozen":   {leaky, twiceWithout, metrics.Inconclusive},
		"nothing was lost":    {spellFrozen{}, twiceWithout, metrics.Inconclusive},
	} {
		err := judgeShop(&engine.World{}, bought(c.sold), c.frozen)
		if got := judgedAmid(c.frozen.losses.Finding(name, 1), err); got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, err)
		}
	}
}

func TestLossIsJudged(t *testing.T) {
	udp := func(there, back uint64) load.Report {
		return load.Report{Spec: load.Spec{Protocol: load.UDP}, Count: load.Count{There: load.Way{Lost: there}, Back: load.Way{Lost: back}}}
	}
	tcp := func(lost uint64, again uint32) load.Report {
		return load.Report{Spec: load.Spec{Protocol: load.TCP}, Count: load.Count{There: load.Way{Lost: lost}},
			Connections: []load.Connection{{Cause: load.Done, Retransmits: again}}}
	}
	for name, c := range map[string]struct {
		share  float64
		report load.Report
		losses effects.Losses
		want   metrics.Verdict
	}{
		"UDP loses what is dropped":     {0.05, udp(50, 0), effects.Losses{Seen: 1000, Lost: 50}, metrics.Pass},
		"UDP loses one more":            {0.05, udp(51, 0), effects.Losses{Seen: 1000, Lost: 50}, metrics.Fail},
		"UDP loses one on the way back": {0.05, udp(50, 1), effects.Losses{Seen: 1000, Lost: 50}, metrics.Fail},
		"TCP loses nothing":             {0.05, tcp(0, 3), effects.Losses{Seen: 1000, Lost: 50}, metrics.Pass},
		"TCP loses":                     {0.05, tcp(1, 3), effects.Losses{Seen: 1000, Lost: 50}, metrics.Fail},
		"TCP sends nothing again":       {0.05, tcp(0, 0), effects.Losses{Seen: 1000, Lost: 50}, metrics.Fail},
		"too little is dropped":         {0.05, udp(10, 0), effects.Losses{Seen: 1000, Lost: 10}, metrics.Inconclusive},
		"the rule met nothing":          {0.05, udp(0, 0), effects.Losses{}, metrics.Inconclusive},
		"nothing is to be dropped":      {0, udp(0, 0), effects.Losses{Seen: 1000}, metrics.Pass},
		"something is all the same":     {0, udp(1, 0), effects.Losses{Seen: 1000, Lost: 1}, metrics.Inconclusive},
	} {
		err := judgeLossy(name, c.report, c.losses)
		if got := judgedAmid(c.losses.Finding(name, c.share), err); got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, err)
		}
	}
}

// TestHopsAreJudged has a resilient group, of which it is certain what is lost: all that the hop had that goes, and nothing else.
func TestHopsAreJudged(t *testing.T) {
	keys := make([]workloads.Key, poolServers)
	for i := range keys {
		keys[i].Name = string(rune('a' + i))
	}
	changes := hopChanges(keys)[:2] // the last goes
	changes[1].at = time.Unix(10, 0)
	// report is of as many connections as there are, a quarter to each server; those of the last are lost, and some of others besides.
	report := func(others, silent int) (r load.Report) {
		for i := range hopConnections {
			c := load.Connection{Server: &keys[i%poolServers], Begun: time.Unix(1, 0), Ended: time.Unix(20, 0), Cause: load.Done}
			if i%poolServers == poolServers-1 || i%poolServers == 0 && i < others*poolServers {
				c.Ended, c.Cause = time.Unix(11, 0), load.Reset
			}
			r.Connections = append(r.Connections, c)
		}
		for range silent {
			r.Connections = append(r.Connections, load.Connection{Begun: time.Unix(12, 0), Cause: load.ConnectTimeout})
		}
		r.Lateness.Samples = []metrics.Sample{{Value: 0.001}}
		return r
	}
	late := report(0, 0)
	late.Lateness.Samples[0].Value = 2
	short := report(0, 0)
	short.Connections = short.Connections[1:]
	for name, c := range map[string]struct {
		report load.Report
		want   metrics.Verdict
	}{
		"as expected":             {report(0, 0), metrics.Pass},
		"one of another hop":      {report(1, 0), metrics.Fail},
		"one is not begun again":  {report(0, 1), metrics.Fail},
		"one does not even stand": {short, metrics.Fail},
		"the load was late":       {late, metrics.Inconclusive},
	} {
		if err := judgeHops(&engine.World{}, "resilient", c.report, changes, true); judged(err) != c.want {
			t.Errorf("%s: %s, want %s: %v", name, judged(err), c.want, err)
		}
	}
}
