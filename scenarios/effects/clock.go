package effects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Timed is a change whose effect on one stream is measured.
type Timed struct {
	Operation string // such as "policy added"
	Load      string // what goes on besides
	Flow      Flow
	Allows    bool // the stream, from then on; else it denies it
	Do        func(context.Context) error
}

const (
	// clockInterval is how often a stream sends whose verdict is timed: the resolution of what is measured.
	clockInterval = time.Millisecond
	// steady is how many packets in a row must meet a verdict until it counts.
	steady = 20
	// timingBound is how long a verdict may be waited for.
	timingBound = engine.DefaultBound
)

// ErrNoStreams is what Time returns in a world without streams.
var ErrNoStreams = errors.New("no streams can be sent here")

// Time makes a change and records how long it took until a packet met the verdict that it brings. Before, the stream must meet the other
// one, or one of its ends be missing still.
func Time(ctx context.Context, w *engine.World, t Timed) error {
	v := watchOf(w)
	if v == nil {
		return ErrNoStreams
	}
	v.follow(t.Flow, clockInterval)
	defer v.unfollow(t.Flow)
	there := w.Fleet.State().Pods().Has(t.Flow.From.Key)
	var last time.Time
	if there {
		before, err := await(ctx, v, t.Flow, !t.Allows, steady)
		if err != nil {
			return fmt.Errorf("before %s: %w", t.Operation, err)
		}
		last = before[len(before)-1].Sent
	}
	timing := report.Timing{At: time.Now(), Operation: t.Operation, Verdict: "allow", Load: t.Load}
	if !t.Allows {
		timing.Verdict = "deny"
	}
	if !there {
		last = timing.At
	}
	if err := t.Do(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.Operation, err)
	}
	timing.Written = time.Since(timing.At)
	after, err := await(ctx, v, t.Flow, t.Allows, steady)
	if err != nil {
		return fmt.Errorf("after %s: %w", t.Operation, err)
	}
	for _, o := range after {
		if o.Sent.After(timing.At) && o.Arrived == t.Allows {
			timing.Effective, timing.Gap = o.Sent.Sub(timing.At), o.Sent.Sub(last)
			break
		}
		last = o.Sent
	}
	w.Record(report.Entry{Timing: &timing})
	return nil
}

// await waits until the stream has met a verdict so often in a row, and returns all that it met.
func await(ctx context.Context, v *streamWatch, f Flow, arrived bool, times int) ([]Observation, error) {
	var seen []Observation
	row := 0
	begun := time.Now()
	tick := time.NewTicker(observeInterval / 2)
	defer tick.Stop()
	for {
		for _, o := range v.take(f) {
			seen = append(seen, o)
			row++
			if o.Arrived != arrived {
				row = 0
			}
		}
		if row >= times {
			return seen, nil
		}
		if time.Since(begun) > timingBound {
			return nil, fmt.Errorf("%s: not %d packets in a row with the verdict within %v (last of %d: %d in a row)", f, times, timingBound, len(seen), row)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
