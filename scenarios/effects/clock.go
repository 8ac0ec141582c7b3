package effects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics"
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
	begun := time.Now()
	if !there {
		last = begun
	}
	if err := t.Do(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.Operation, err)
	}
	written := time.Now()
	after, err := await(ctx, v, t.Flow, t.Allows, steady)
	if err != nil {
		return fmt.Errorf("after %s: %w", t.Operation, err)
	}
	for _, o := range after {
		if o.Sent.After(begun) && o.Arrived == t.Allows {
			t.measured(w, begun, written, o.Sent, o.Sent.Sub(last))
			return nil
		}
		last = o.Sent
	}
	return fmt.Errorf("after %s: no packet with the verdict was sent after the change", t.Operation)
}

// measured records when the first packet with the new verdict was sent; before it, none was for so long as the gap.
func (t Timed) measured(w *engine.World, begun, written, sent time.Time, gap time.Duration) {
	verdict := "allow"
	if !t.Allows {
		verdict = "deny"
	}
	m := metrics.Measurement{
		Name: "enforcement", Unit: metrics.Seconds, Labels: []metrics.Label{{Name: "load", Value: t.Load}, {Name: "operation", Value: t.Operation}, {Name: "verdict", Value: verdict}},
		Doc:     "From the beginning of the API write until the first packet with the new verdict was sent.",
		Samples: []metrics.Sample{metrics.Since(begun, sent.Sub(begun), gap)},
	}
	w.Measure(m)
	m.Name, m.Doc = "enforcement after the write", "The same from when the API acknowledged the write. Below 0: it held before."
	m.Samples = []metrics.Sample{metrics.Since(begun, sent.Sub(written), gap)}
	w.Measure(m)
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
