package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

const (
	// routesRate is how many changes of routes are made a second, unless --rate says otherwise.
	routesRate = 20
	// churnSpell is how long a cycle of churn goes on.
	churnSpell = 10 * time.Second
)

var _ = register(func(p Params) engine.Scenario {
	n, spells, perSecond := or(p.Routes, 100), or(p.Cycles, 6), ratePerSecond(p)
	pods := or(p.Endpoints, 20)
	return engine.Scenario{
		Name: "route churn under requests",
		Doc: "Routes are created, led to other pods and deleted, and pods join and leave services, so many times a second, for ten seconds a cycle; all the while a sample" +
			" of routes is asked for, and each answer is judged. After each cycle all routes are asked for, and what the SUT holds is read.",
		Labels:   []engine.Label{Requests, Churn, Slow},
		Needs:    []workloads.Feature{workloads.RequestRouting},
		Timeout:  time.Duration(spells)*time.Minute + 10*time.Minute,
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: pods, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, n) }},
			{Name: "routes", Do: func(ctx context.Context, w *engine.World) error { return w.Fleet.Add(ctx, routesTo(w, n, 0)...) }, Settle: true},
			{Name: "churn", Repeat: spells, Settle: true, Do: func(ctx context.Context, w *engine.World) error {
				return churnRoutes(ctx, w, n, perSecond, churnSpell)
			}},
			{Name: "no routes", Settle: true, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.Remove(ctx, frontOf(w).routes()...)
			}},
		},
	}
})

func ratePerSecond(p Params) float64 {
	if p.Rate != nil && *p.Rate > 0 {
		return *p.Rate
	}
	return routesRate
}

// churnRoutes makes changes of routes and endpoints at a rate for some time.
func churnRoutes(ctx context.Context, w *engine.World, n int, perSecond float64, lasts time.Duration) error {
	until, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	clock := rate.NewLimiter(rate.Limit(perSecond), 1)
	for i := 0; clock.Wait(until) == nil; i++ {
		if err := churnOne(ctx, w, n); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// churnOne makes one change, which is drawn.
func churnOne(ctx context.Context, w *engine.World, n int) error {
	f := frontOf(w)
	pods, i := f.pods(), w.Rand.IntN(n)
	key := workloads.Key{Namespace: pods[0].Namespace, Name: serviceName(i)}
	own := f.route(key.Name, host(i), key)
	switch draw := w.Rand.IntN(4); {
	case w.Fleet.State().Object(own.Part()) == nil:
		return w.Fleet.Add(ctx, own)
	case draw == 0:
		return w.Fleet.Remove(ctx, own.Part())
	case draw == 1:
		to := workloads.Key{Namespace: key.Namespace, Name: serviceName(w.Rand.IntN(n))}
		return w.Fleet.Change(ctx, f.route(key.Name, host(i), to))
	}
	some := []workloads.Pod{pods[i%len(pods)]}
	for range w.Rand.IntN(3) {
		if p := pods[w.Rand.IntN(len(pods))]; p.Name != some[0].Name && p.Name != some[len(some)-1].Name {
			some = append(some, p)
		}
	}
	return w.Fleet.ChangeEndpointSlices(ctx, []workloads.EndpointSlice{f.Slice(key, some[w.Rand.IntN(len(some)):]...)})
}

// amidRoutes does something while routes that nothing else is about come and go.
func amidRoutes(ctx context.Context, w *engine.World, perSecond float64, do func(context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	churned := make(chan error, 1)
	go func() {
		clock, f := rate.NewLimiter(rate.Limit(perSecond), 1), frontOf(w)
		to := workloads.Key{Namespace: f.pods()[0].Namespace, Name: serviceName(0)}
		var living []workloads.Part
		var failed error
		for i := 0; failed == nil && clock.Wait(within) == nil; i++ {
			if len(living) == 5 {
				failed, living = w.Fleet.Remove(context.WithoutCancel(ctx), living[0]), living[1:]
				continue
			}
			guest := f.route(fmt.Sprintf("guest-%d", i), fmt.Sprintf("guest-%d.example", i), to)
			failed, living = w.Fleet.Add(context.WithoutCancel(ctx), guest), append(living, guest.Part())
		}
		churned <- errors.Join(failed, w.Fleet.Remove(context.WithoutCancel(ctx), living...))
	}()
	err := do(ctx)
	cancel()
	return errors.Join(err, <-churned)
}
