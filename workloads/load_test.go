package workloads

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoad(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		load    Load
		changes int
		want    time.Duration
	}{
		"unthrottled":   {Load{}, 1000, 0},
		"constant rate": {Load{Rate: 10}, 21, 2 * second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, begun := newPacer(c.load), time.Now()
				for range c.changes {
					if err := p.wait(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(begun); (took - c.want).Abs() > time.Millisecond {
					t.Errorf("%d changes took %v, want %v", c.changes, took, c.want)
				}
			})
		})
	}
}

func TestLoadEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newPacer(Load{Rate: 1}).wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLoadIsValidated(t *testing.T) {
	for _, l := range []Load{{Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}} {
		if err := l.Validate(); err == nil {
			t.Errorf("%+v: no error", l)
		}
		if err := newPacer(l).wait(t.Context()); err == nil || !strings.Contains(err.Error(), "load of") {
			t.Errorf("%+v: a fleet would use it: %v", l, err)
		}
	}
	if err := (Load{Rate: 5}).Validate(); err != nil {
		t.Error(err)
	}
}
