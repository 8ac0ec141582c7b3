package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/multipath"
)

const (
	hopConnections = 400
	// hopSettle is how long a change of next hops is looked at: each connection says something five times a second, and learns then
	// that its server knows nothing of it.
	hopSettle = 1500 * time.Millisecond
)

// hopSpreadings are the ways in which the kernel chooses a next hop. No bucket is idle for as long as the scenario takes.
var hopSpreadings = []struct {
	name string
	how  effects.Spreading
}{
	{"hash-threshold", effects.Spreading{}},
	{"resilient", effects.Spreading{Buckets: 512, Idle: 2 * time.Minute}},
}

var _ = register(func(Params) engine.Scenario {
	steps := []engine.Step{{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{poolGuard(w)})
	}}}
	for _, s := range hopSpreadings {
		steps = append(steps, engine.Step{Name: s.name, Do: func(ctx context.Context, w *engine.World) error { return changeHops(ctx, w, s.name, s.how) }})
	}
	return engine.Scenario{
		Name: "next hops of a service",
		Doc: "400 connections are to an address that a multipath route leads to by four servers, of which one after the other goes and is back, by hash-threshold and in a" +
			" resilient group. As many connections are lost as follows from how the kernel chooses, and all are begun again.",
		Labels:   []engine.Label{Traffic, Policy},
		Timeout:  brief,
		Topology: pool, Arrange: arrangePool,
		Steps: steps,
	}
})

// hopChange is a change of the next hops, to a route.
type hopChange struct {
	name  string
	route []workloads.Key
	at    time.Time // it began
}

// hopChanges are those of the scenario; the first is no change but how it begins.
func hopChanges(servers []workloads.Key) []hopChange {
	without := func(i int) []workloads.Key { return slices.Delete(slices.Clone(servers), i, i+1) }
	return []hopChange{
		{name: "begin", route: servers},
		{name: "the last goes", route: without(len(servers) - 1)}, {name: "the last is back", route: servers},
		{name: "the second goes", route: without(1)}, {name: "the second is back", route: servers},
	}
}

// changeHops carries connections over changes of the next hops, and judges how many each has cost.
func changeHops(ctx context.Context, w *engine.World, name string, how effects.Spreading) error {
	spreader := effects.Of(w).Spreader
	if spreader == nil {
		return effects.ErrNoSpread
	}
	_, servers := poolOf(w)
	changes := hopChanges(keysOf(servers))
	spread, err := spreader.Spread(changes[0].route, how)
	if err != nil {
		return err
	}
	reports, err := effects.Carry(ctx, w, []effects.Carrying{{
		Name: "to next hops, " + name, Flows: fromClients(w, effects.End{Addr: effects.SpreadAddress}),
		Spec: load.Spec{Servers: changes[0].route, Connections: hopConnections, Rate: 5 * hopConnections, Reconnects: len(changes)},
	}}, func(ctx context.Context) error {
		if err := engine.Pause(ctx, hopSettle); err != nil {
			return err
		}
		for i := range changes[1:] {
			c := &changes[i+1]
			c.at = time.Now()
			if err := errors.Join(spread.To(c.route), engine.Pause(ctx, hopSettle)); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, spread.Close()); err != nil {
		return err
	}
	return judgeHops(w, name, reports[0], changes, how.Buckets > 0)
}

// judgeHops measures what each change has cost, and wants that to be as expected.
func judgeHops(w *engine.World, name string, r load.Report, changes []hopChange, resilient bool) error {
	if late := r.Lateness.Quantile(1); late > hopSettle.Seconds()/3 {
		return fmt.Errorf("the load was late by %.1f s, so that no loss can be ascribed to a change", late)
	}
	var wrong error
	for i, c := range costs(r.Connections, changes, resilient) {
		if i > 0 {
			c.measure(w, name, changes[i], len(changes[i].route) > len(changes[i-1].route))
		}
		switch about := name + ", " + changes[i].name; {
		case c.silent > 0:
			wrong = errors.Join(wrong, broken("%s: %d connections of those that were begun had no answer ever", about, c.silent))
		case i > 0 && c.stood != hopConnections:
			wrong = errors.Join(wrong, broken("%s: before it, %d connections of %d stood", about, c.stood, hopConnections))
		case !c.expected.Holds(c.lost):
			wrong = errors.Join(wrong, broken("%s: %d connections lost, %d to %d are expected", about, c.lost, c.expected.Low, c.expected.High))
		}
	}
	return wrong
}

// cost is what a change of the next hops did to connections.
type cost struct {
	stood    int // before it
	lost     int // from it until the next
	expected metrics.Expected
	silent   int // begun since it, and never answered
	back     int // of a hop that came back: connections that it has before the next change
}

func (c cost) measure(w *engine.World, spreading string, change hopChange, back bool) {
	record := func(name, doc, what string, value float64) {
		w.Measure(metrics.Measurement{Name: name, Doc: doc, Samples: []metrics.Sample{{At: change.at, Value: value}},
			Labels: []metrics.Label{{Name: "next hops", Value: spreading}, {Name: "change", Value: change.name}, {Name: "connections", Value: what}}})
	}
	doc := fmt.Sprintf("Of %d that stood when the next hops changed; expected by how the kernel chooses, with the bounds that chance oversteps once in a million times.", hopConnections)
	for _, v := range []struct {
		what  string
		value float64
	}{{"lost", float64(c.lost)}, {"expected", c.expected.Mean}, {"at least", float64(c.expected.Low)}, {"at most", float64(c.expected.High)}} {
		record("connections lost", doc, v.what, v.value)
	}
	if back {
		record("connections of a hop that is back", "At the end of the phase in which it came back; an equal share would be a quarter.", "has", float64(c.back))
	}
}

// costs says it of each change, from what became of all connections. Each is known to be of the hashes that lead to its server, and, once
// a change has left it alone, of those alone which that change does not move.
func costs(connections []load.Connection, changes []hopChange, resilient bool) []cost {
	all, chances := make([]cost, len(changes)), make([][]float64, len(changes))
	for _, c := range connections {
		begun := len(changes) - 1
		for begun > 0 && c.Begun.Before(changes[begun].at) {
			begun--
		}
		if c.Server == nil {
			all[begun].silent++
			continue
		}
		flow := multipath.Begun(*c.Server, changes[begun].route)
		for i := begun; i < len(changes); i++ {
			lost := c.Cause != load.Done && (i+1 == len(changes) || c.Ended.Before(changes[i+1].at))
			if i > begun {
				all[i].stood++
				chances[i] = append(chances[i], moved(flow, changes[i].route, resilient))
				flow = flow.Stayed(changes[i].route)
			}
			if lost {
				all[i].lost++
				break
			}
			if i > 0 && !slices.Contains(changes[i-1].route, *c.Server) {
				all[i].back++
			}
		}
	}
	for i := range all {
		all[i].expected = metrics.Expect(chances[i])
	}
	return all
}

// moved is the chance that a flow is. In a resilient group those of hops that stay are never, as long as they use their buckets.
func moved(flow multipath.Flow[workloads.Key], route []workloads.Key, resilient bool) float64 {
	switch {
	case !resilient:
		return flow.Moved(route)
	case slices.Contains(route, flow.Hop):
		return 0
	}
	return 1
}
