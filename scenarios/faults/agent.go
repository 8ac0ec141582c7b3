package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// What becomes of the agent.
var _ = register(
	Fault{
		Name: "agent killed", Want: metrics.Fail, Causes: []Cause{exits(137, func(e report.Event) bool { return !e.OOM })},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return errors.Join(s.Signal(syscall.SIGKILL), keepChurning(ctx, w, patience))
		},
	},
	Fault{
		Name: "agent frozen", Want: metrics.Fail, Causes: []Cause{{Finding: report.Life}},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return errors.Join(s.Signal(syscall.SIGSTOP), churn(ctx, w))
		},
	},
	Fault{
		Name: "agent panics", Settings: []workloads.Setting{workloads.Panics}, Want: metrics.Fail, Causes: []Cause{exits(2, func(e report.Event) bool { return strings.Contains(strings.ToLower(e.Cause), "panic") })},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error { return keepChurning(ctx, w, trouble) },
	},
	Fault{
		Name: "agent's calculation hangs", Settings: []workloads.Setting{workloads.CalculationHangs}, Want: metrics.Fail,
		Causes: []Cause{miscounts},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return errors.Join(keepChurning(ctx, w, trouble), grow(ctx, w))
		},
	},
	Fault{
		// A data plane that takes nothing any more makes the calculation wait for it, so that the counts may stand still as well.
		Name: "agent's data plane hangs", Settings: []workloads.Setting{workloads.DataPlaneHangs}, Want: metrics.Fail,
		Causes: []Cause{miscounts, rulesMissing},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return errors.Join(keepChurning(ctx, w, trouble), grow(ctx, w))
		},
	},
	Fault{
		Name: "agent out of memory", Memory: 44 << 20, Want: metrics.Fail, Causes: []Cause{{Exit: func(e report.Event) bool { return e.OOM }}},
		Break: func(ctx context.Context, w *engine.World, _ Saboteur) error { return crowd(ctx, w) },
	},
	Fault{
		Name: "agent restarted", Want: metrics.Pass,
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return w.Away(func() error { return during(ctx, w, Agent, s) })
		},
	},
)

// miscounts is the cause where the agent has not heard of all endpoints.
var miscounts = Cause{Probe: "gauges", Aspect: report.Heard, Kind: report.Gauge, Change: report.Wrong}

// trouble is how long after the bed's begin an agent that was told to break has done so.
const trouble = 15 * time.Second

// keepChurning churns without a check between, for that long or until the SUT's end.
func keepChurning(ctx context.Context, w *engine.World, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := churn(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// grow adds a pod: churn leaves the number of pods as it is, so that an agent that counts no more might be right by chance.
func grow(ctx context.Context, w *engine.World) error {
	next, err := w.Plan.Successor(w.Fleet.State().LocalPods()[0])
	if err != nil {
		return err
	}
	return w.Fleet.AddPods(ctx, []workloads.Pod{next})
}

// crowd adds remote pods with much to remember until the SUT's end, 30,000 at most. Small ones take so long to fill its memory that it may
// come to a standstill before, for want of room for its own program.
func crowd(ctx context.Context, w *engine.World) error {
	const batch, most, longestLabel = 500, 30000, 63
	var remote workloads.Pod
	for _, p := range w.Fleet.State().Pods().All() {
		if p.Node != w.Fleet.State().LocalNode {
			remote = p
		}
	}
	for range most / batch {
		var pods []workloads.Pod
		for range batch {
			p, err := w.Plan.Successor(remote)
			if err != nil {
				return err
			}
			p.Labels = maps.Clone(p.Labels)
			for i := range 40 {
				p.Labels[fmt.Sprintf("filler-%d", i)] = fmt.Sprintf("%s-%0*d", p.Name, longestLabel-1-len(p.Name), i)
			}
			pods = append(pods, p)
		}
		if err := w.Fleet.AddPods(ctx, pods); err != nil {
			return err
		}
	}
	return fmt.Errorf("the SUT survived %d pods", most)
}

// during restarts a part of the environment while pods come and go.
func during(ctx context.Context, w *engine.World, part Part, s Saboteur) error {
	restarted := make(chan error, 1)
	go func() { restarted <- s.Restart(ctx, part) }()
	for {
		select {
		case err := <-restarted:
			return errors.Join(err, churn(ctx, w))
		default:
			if err := churn(ctx, w); err != nil {
				return errors.Join(err, <-restarted)
			}
		}
	}
}
