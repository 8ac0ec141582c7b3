package scenarios

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Pods live at least shortest and less than longest.
const (
	shortest = time.Second
	longest  = 20 * time.Second
	// births is how many pods are born in one cycle.
	births = 25
)

var _ = register(func(p Params) engine.Scenario {
	perSecond := 5.0
	if p.Rate != nil && *p.Rate > 0 {
		perSecond = *p.Rate / 2 // of all changes, half are births
	}
	return engine.Scenario{
		Name:     "short lives",
		Doc:      "Pods are born at a steady rate, five a second, and live 1 to 20 s, drawn from the seed; time stands still for each check, after every 25 births.",
		Labels:   []engine.Label{Identity, Churn, Slow},
		Timeout:  10 * time.Minute,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 4, Local: 4, DualStack: true}),
		Steps: []engine.Step{func() engine.Step {
			lives := &lives{ends: map[workloads.Key]int{}}
			return engine.Step{Name: "be born and die", Repeat: or(p.Cycles, 10), Do: func(ctx context.Context, w *engine.World) error {
				return lives.pass(ctx, w, perSecond)
			}}
		}()},
	}
})

// lives are pods whose days are numbered, in births from the first: time stands still when nobody is born.
type lives struct {
	born int
	ends map[workloads.Key]int
}

// pass lets one cycle's pods be born and removes those whose time has come.
func (l *lives) pass(ctx context.Context, w *engine.World, perSecond float64) error {
	parents := w.Plan.Ring(w.Plan.State())
	clock := rate.NewLimiter(rate.Limit(perSecond), 1)
	for range births {
		if err := clock.Wait(ctx); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		l.born++
		pod, err := w.Plan.Successor(parents[l.born%len(parents)])
		if err != nil {
			return err
		}
		life := shortest + time.Duration(w.Rand.Int64N(int64(longest-shortest)))
		l.ends[pod.Key] = l.born + int(life.Seconds()*perSecond)
		if err := w.Fleet.AddPods(ctx, []workloads.Pod{pod}); err != nil {
			return err
		}
		var gone []workloads.Key
		for k, end := range l.ends {
			if end <= l.born {
				gone = append(gone, k)
				delete(l.ends, k)
			}
		}
		how := []workloads.Removal{workloads.Graceful, workloads.Forced}[w.Rand.IntN(2)]
		if err := w.Fleet.RemovePods(ctx, gone, how); err != nil {
			return err
		}
	}
	return nil
}
