package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// cautious are timings with which there are never two leaders, however slow the network: a renewal that was made may be known by others at once,
// and by the leader only after a request's bound (a second, or half of renew); from then on it is leader for retry and renew.
var cautious = effects.Timings{Lease: 3 * time.Second, Renew: 1500 * time.Millisecond, Retry: 250 * time.Millisecond}

// handOverBound is how long another leader may be waited for.
const handOverBound = 30 * time.Second

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "leader cut off",
		Doc: "Two candidates stand in a leader election of client-go's. The way of the one that leads to the API server is cut: the other one leads, and there are" +
			" never two at once. It stays leader once the way is whole again.",
		Labels:   []engine.Label{Network},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{{Name: "cut off", Do: cutLeaderOff}},
	}
})

func cutLeaderOff(ctx context.Context, w *engine.World) error {
	begun := time.Now()
	e, err := held(ctx, w, cautious)
	if err != nil {
		return err
	}
	cut := effects.Worse{Loss: 1}
	err = succession(ctx, w, e, cut)
	tenures, endErr := e.End()
	if err = errors.Join(err, endErr); err != nil {
		return err
	}
	reign := effects.ReignOf(tenures, time.Now())
	reign.Measure(w, cautious, "the leader's cut", begun)
	switch {
	case reign.Two > 0:
		return fmt.Errorf("two candidates led at once for %v: %w", reign.Two, engine.ErrBroken)
	case reign.Changes != 1:
		return fmt.Errorf("the leader changed %d times, and its way was cut once: %w", reign.Changes, engine.ErrBroken)
	}
	return nil
}

// held begins an election between two.
func held(ctx context.Context, w *engine.World, t effects.Timings) (effects.Election, error) {
	elections := effects.Of(w).Elections
	if elections == nil {
		return nil, effects.ErrNoElections
	}
	return elections.Hold(ctx, t, 2)
}

// succession waits for a leader, cuts its way until the other one leads, and then for as long as a lease lasts, and longer.
func succession(ctx context.Context, w *engine.World, e effects.Election, cut effects.Worse) error {
	first, err := awaitLeader(ctx, e, func(int) bool { return true })
	if err != nil {
		return err
	}
	if err := engine.Pause(ctx, cautious.Lease); err != nil { // it renews
		return err
	}
	if err := e.Worsen(first, cut); err != nil {
		return err
	}
	if _, err := awaitLeader(ctx, e, func(c int) bool { return c != first }); err != nil {
		return err
	}
	met, err := e.Met(first)
	if err == nil {
		w.Note(cut.Finding("the first leader's", met))
		err = e.Worsen(first, effects.Worse{})
	}
	if err != nil {
		return err
	}
	return engine.Pause(ctx, 2*cautious.Lease)
}

// awaitLeader waits for one that is right.
func awaitLeader(ctx context.Context, e effects.Election, right func(candidate int) bool) (int, error) {
	for begun := time.Now(); time.Since(begun) < handOverBound; {
		if leader, any := e.Leader(); any && right(leader) {
			return leader, nil
		}
		if err := engine.Pause(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("no such leader within %v: %w", handOverBound, engine.ErrBroken)
}
