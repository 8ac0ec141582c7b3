package metrics

import (
	"context"
	"errors"
	"maps"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

type fake struct {
	name string
	read func(context.Context) (Snapshot, error)
}

func (f fake) Name() string                                 { return f.name }
func (f fake) Scrape(ctx context.Context) (Snapshot, error) { return f.read(ctx) }
func after(d time.Duration, s Snapshot, err error) func(context.Context) (Snapshot, error) {
	return func(ctx context.Context) (Snapshot, error) {
		select {
		case <-time.After(d):
			return s, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestSampleMergesSourcesAndKeepsGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sunk []Point
		s := NewSampler(time.Second, func(p Point) { sunk = append(sunk, p) },
			fake{"a", after(time.Second, Snapshot{FDs: 1, HeapBytes: 2}, nil)},
			fake{"b", after(time.Second, Snapshot{FDs: 9, Threads: 3, RSSBytes: math.NaN()}, errors.New("two\nlines"))},
			fake{"silent", after(time.Hour, nil, nil)})
		s.SetPhase(Phase{Scenario: "s", Step: "t", Cycle: 4, Settled: true})
		begin := time.Now()
		p := s.Sample(t.Context(), true)
		if took := time.Since(begin); took != scrapeBound {
			t.Errorf("took %v", took)
		}
		if want := (Snapshot{FDs: 1, HeapBytes: 2, Threads: 3}); !maps.Equal(p.Values, want) {
			t.Errorf("got %v", p.Values)
		}
		if len(p.Gaps) != 3 || p.Gaps[0] != (Gap{"b", "two lines"}) || p.Gaps[2].Source != "silent" {
			t.Errorf("got %v", p.Gaps)
		}
		if p.Phase != (Phase{"s", "t", 4, true}) || len(sunk) != 1 || !s.Last().At.Equal(p.At) {
			t.Errorf("got %+v, %d sunk", p, len(sunk))
		}
		if s.Sample(t.Context(), false).Settled {
			t.Error("a plain point is settled")
		}
	})
}

// TestHushHoldsSamplesBack wants a sample that is under way to end first, and none to begin before the hush is over.
func TestHushHoldsSamplesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		under := false
		s := NewSampler(time.Second, nil, fake{"a", func(context.Context) (Snapshot, error) {
			under = true
			time.Sleep(300 * time.Millisecond)
			under = false
			return nil, nil
		}})
		go func() {
			time.Sleep(1100 * time.Millisecond) // the second sample is under way
			resume := s.Hush()
			for range 30 {
				if under {
					t.Error("it samples though it was hushed")
				}
				time.Sleep(100 * time.Millisecond)
			}
			resume()
		}()
		s.Run(ctx)
		if s.Last().At.IsZero() || time.Since(s.Last().At) > time.Second {
			t.Error("it does not sample any more once the hush is over")
		}
	})
}

func TestRunSamplesUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var sunk []Point
		s := NewSampler(time.Second, func(p Point) { sunk = append(sunk, p) }, fake{"a", after(0, Snapshot{FDs: 1}, nil)})
		go func() {
			time.Sleep(1500 * time.Millisecond)
			s.SetPhase(Phase{Scenario: "x"})
		}()
		s.Run(ctx)
		if len(sunk) != 4 || sunk[1].Scenario != "" || sunk[2].Scenario != "x" {
			t.Errorf("got %+v", sunk)
		}
		for _, p := range sunk {
			if len(p.Gaps) > 0 {
				t.Errorf("gaps %v", p.Gaps)
			}
		}
	})
}
