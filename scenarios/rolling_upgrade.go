package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

const (
	upgradeConnections = 120
	// upgradeSettle is how long all connections may take to be begun elsewhere, and to have an answer there.
	upgradeSettle = time.Second
)

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "rolling upgrade of servers",
		Doc: "Four servers under 120 connections are replaced, one after the other: each stops, its pod goes, comes back under its name and address, and serves. What it" +
			" had is begun again to any of the others. A server loses what it has by then, and nobody else anything; in all, as many as the analysis says.",
		Labels:   []engine.Label{Traffic, Policy},
		Timeout:  brief,
		Topology: pool, Arrange: arrangePool,
		Steps: []engine.Step{
			{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{poolGuard(w)})
			}},
			{Name: "upgrade", Do: upgradePool},
		},
	}
})

// turn is the replacement of one server.
type turn struct {
	server     workloads.Key
	went, back time.Time // it was told to stop, and serves again
}

// upgradePool replaces the servers under traffic and judges what that has cost.
func upgradePool(ctx context.Context, w *engine.World) error {
	_, servers := poolOf(w)
	var flows []effects.Flow
	for _, s := range servers {
		flows = append(flows, fromClients(w, effects.End{Key: s.Key, Addr: s.IPs[0]})...)
	}
	var under effects.Pool
	var turns []turn
	reports, err := effects.Carry(ctx, w, []effects.Carrying{{
		Name: "rolling upgrade", Flows: flows, Begun: func(l effects.Load) { under, _ = l.(effects.Pool) },
		Spec: load.Spec{
			Servers: keysOf(servers), Connections: upgradeConnections, Rate: 10 * upgradeConnections, Reconnects: 3 * len(servers), Elsewhere: true, Seed: w.Rand.Uint64(),
		},
	}}, func(ctx context.Context) error {
		if under == nil {
			return errors.New("no server of this traffic can be taken away")
		}
		for _, s := range servers {
			t, err := replaceServer(ctx, w, under, s)
			if err != nil {
				return err
			}
			turns = append(turns, t)
		}
		return engine.Pause(ctx, upgradeSettle)
	})
	if err != nil {
		return err
	}
	return judgeTurns(w, reports[0], turns)
}

// replaceServer takes a server away, replaces its pod and brings it back.
func replaceServer(ctx context.Context, w *engine.World, under effects.Pool, s workloads.Pod) (t turn, err error) {
	if err := engine.Pause(ctx, upgradeSettle); err != nil {
		return t, err
	}
	t = turn{server: s.Key, went: time.Now()}
	if err := errors.Join(under.Retire(s.Key, s.IPs...), engine.Pause(ctx, upgradeSettle)); err != nil {
		return t, err
	}
	for _, do := range []func() error{
		func() error { return w.Fleet.RemovePods(ctx, []workloads.Key{s.Key}, workloads.Graceful) },
		func() error { return w.Converge(ctx) }, // a pod made again before that may never get its route (docs/findings)
		func() error { return w.Fleet.AddPods(ctx, []workloads.Pod{s}) },
		func() error { return w.Converge(ctx) },
	} {
		if err := do(); err != nil {
			return t, fmt.Errorf("replace %s: %w", s.Key, err)
		}
	}
	t.back = time.Now()
	return t, under.Serve(s.Key, s.IPs...)
}

// judgeTurns measures what each replacement has cost, and wants it to be what the server had, and all together to be as the analysis says.
func judgeTurns(w *engine.World, r load.Report, turns []turn) error {
	analysis := analysed(len(turns), upgradeConnections)
	total := 0
	record := func(name, doc, server, what string, at time.Time, value float64) {
		w.Measure(metrics.Measurement{Name: name, Doc: doc, Samples: []metrics.Sample{{At: at, Value: value}},
			Labels: []metrics.Label{{Name: "server", Value: server}, {Name: "connections", Value: what}}})
	}
	const doc = "What a server had when it was told to stop is lost, and begun again to the others; so each has more than the one before. In all, C (N-1)/N ((N/(N-1))^N - 1)."
	var wrong error
	for _, t := range turns {
		c := turnCost(r.Connections, t)
		total += c.lost
		record("connections lost by an upgrade", doc, t.server.Name, "it had", t.went, float64(c.had))
		record("connections lost by an upgrade", doc, t.server.Name, "lost", t.went, float64(c.lost))
		switch {
		case c.stood != upgradeConnections:
			wrong = errors.Join(wrong, broken("before %s went, %d connections of %d stood", t.server.Name, c.stood, upgradeConnections))
		case c.lost != c.had:
			wrong = errors.Join(wrong, broken("while %s was away, %d connections were lost, and it had %d", t.server.Name, c.lost, c.had))
		case c.late > 0:
			wrong = errors.Join(wrong, fmt.Errorf("%d connections that %s had were not begun again before it was back: the analysis does not hold", c.late, t.server.Name))
		}
	}
	for _, v := range []struct {
		what  string
		value float64
	}{{"lost", float64(total)}, {"expected", analysis.Mean}, {"at least", float64(analysis.Low)}, {"at most", float64(analysis.High)}} {
		record("connections lost by an upgrade", doc, "all", v.what, turns[0].went, v.value)
	}
	if wrong == nil && !analysis.Holds(total) {
		wrong = broken("%d connections were lost in all, %d to %d are expected", total, analysis.Low, analysis.High)
	}
	return wrong
}

// spent is what a replacement has cost.
type spent struct {
	stood int // connections before it
	had   int // of them, the server's own
	lost  int // from when the server was told to stop until it was back
	late  int // begun again only once the server was back
}

func turnCost(connections []load.Connection, t turn) (s spent) {
	again := map[[2]int]time.Time{} // when the connection of that number and turn was begun
	for _, c := range connections {
		again[[2]int{c.Number, c.Again}] = c.Begun
	}
	for _, c := range connections {
		ended := c.Cause != load.Done && c.Ended.Before(t.back)
		if c.Connect == 0 || !c.Begun.Before(t.went) || ended && c.Ended.Before(t.went) {
			if c.Begun.After(t.went) && ended {
				s.lost++ // it was begun meanwhile, and failed
			}
			continue
		}
		s.stood++
		if c.Server != nil && *c.Server == t.server {
			s.had++
		}
		if !ended {
			continue
		}
		s.lost++
		if next, ok := again[[2]int{c.Number, c.Again + 1}]; !ok || next.After(t.back) {
			s.late++
		}
	}
	return s
}

// analysed is how many of some connections are lost when servers are replaced in turn, of which each has an equal share at first: the mean
// of C (N-1)/N ((N/(N-1))^N - 1), and five standard deviations around it, of 20,000 draws of where the lost ones are begun again.
func analysed(servers, connections int) metrics.Expected {
	n, c := float64(servers), float64(connections)
	mean := c * (n - 1) / n * (math.Pow(n/(n-1), n) - 1)
	const draws = 20_000
	random, variance := rand.New(rand.NewPCG(1, 0)), 0.0
	for range draws {
		has, lost := make([]int, servers), 0
		for i := range connections {
			has[i%servers]++
		}
		for i := range servers {
			lost += has[i]
			for range has[i] {
				has[(i+1+random.IntN(servers-1))%servers]++
			}
			has[i] = 0
		}
		variance += (float64(lost) - mean) * (float64(lost) - mean) / draws
	}
	off := 5 * math.Sqrt(variance)
	return metrics.Expected{Mean: mean, Low: int(math.Ceil(mean - off)), High: int(mean + off)}
}
