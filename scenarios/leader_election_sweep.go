package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
)

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "leader election on a bad network",
		Doc: "Two candidates of each of many leader elections of client-go's reach the API server by ways that are slow and lossy in as many ways: a table of how often the" +
			" leader changes, how long there is none, and how long there are two. There must never be two.",
		Labels:   []engine.Label{Network, Slow},
		Timeout:  30 * time.Minute,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "short leases", Do: func(ctx context.Context, w *engine.World) error {
				return electAll(ctx, w, cautious, time.Minute, badWays(0, 100*time.Millisecond, 250*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond, time.Second))
			}},
			{Name: "client-go's own timings", Do: func(ctx context.Context, w *engine.World) error {
				usual := effects.Timings{Lease: 15 * time.Second, Renew: 10 * time.Second, Retry: 2 * time.Second}
				return electAll(ctx, w, usual, 2*time.Minute, badWays(0, 500*time.Millisecond, time.Second, 2*time.Second, 3*time.Second, 6*time.Second))
			}},
		},
	}
})

// badWays are slow by these delays each way, or lossy, or some of both.
func badWays(delays ...time.Duration) (all []effects.Worse) {
	for _, d := range delays {
		all = append(all, effects.Worse{Delay: d})
	}
	for _, loss := range []float64{0.05, 0.1, 0.2, 0.3, 0.5, 0.7} {
		all = append(all, effects.Worse{Loss: loss})
	}
	return append(all, effects.Worse{Delay: delays[1], Loss: 0.1}, effects.Worse{Delay: delays[1], Loss: 0.3})
}

// electAll holds an election on each of these ways at once, for so long once all have a leader, and records what became of it.
func electAll(ctx context.Context, w *engine.World, t effects.Timings, lasts time.Duration, ways []effects.Worse) (err error) {
	elections := make([]effects.Election, len(ways))
	begun := time.Now()
	defer func() {
		for _, e := range elections {
			if e != nil { // it was cut short
				_, endErr := e.End()
				err = errors.Join(err, endErr)
			}
		}
	}()
	for i, worse := range ways {
		if elections[i], err = held(ctx, w, t); err != nil {
			return err
		}
		worse.Seed = w.Rand.Uint64()
		if _, err = awaitLeader(ctx, elections[i], func(int) bool { return true }); err != nil {
			return err
		}
		for candidate := range 2 {
			if err = elections[i].Worsen(candidate, worse); err != nil {
				return err
			}
		}
	}
	if err = engine.Pause(ctx, lasts); err != nil {
		return err
	}
	for i, e := range elections {
		elections[i] = nil
		err = errors.Join(err, closeElection(w, e, t, ways[i], begun))
	}
	return err
}

// closeElection ends an election, records what became of it, and wants there never to have been two leaders.
func closeElection(w *engine.World, e effects.Election, t effects.Timings, worse effects.Worse, begun time.Time) error {
	var met []effects.Met
	for candidate := range 2 {
		of, err := e.Met(candidate)
		if err != nil {
			return errors.Join(err, end(e))
		}
		met = append(met, of...)
	}
	ended := time.Now()
	tenures, err := e.End()
	if err != nil {
		return err
	}
	w.Note(worse.Finding("the candidates'", met))
	reign := effects.ReignOf(tenures, ended)
	reign.Measure(w, t, worse.String(), begun)
	if reign.Two > 0 {
		return fmt.Errorf("timings %s, way %s: two candidates led at once for %v: %w", t, worse, reign.Two, engine.ErrBroken)
	}
	return nil
}

func end(e effects.Election) error {
	_, err := e.End()
	return err
}
