package workloads

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Load is how fast changes are made. The zero value means as fast as possible.
type Load struct {
	Rate  float64       // changes per second; 0: unthrottled
	Burst int           // changes that may be made at once; 0 means 1
	Ramp  time.Duration // the rate grows from a tenth to the whole in this time; 0: at once
}

// Validate refuses negative values and a rate that is no number or without end.
func (l Load) Validate() error {
	if !(l.Rate >= 0) || math.IsInf(l.Rate, 1) || l.Burst < 0 || l.Ramp < 0 {
		return fmt.Errorf("load of %g changes per second, burst %d, ramp %v: want finite numbers, none negative", l.Rate, l.Burst, l.Ramp)
	}
	return nil
}

// pacer makes changes wait for their turn. It is safe for concurrent use.
type pacer struct {
	load    Load
	limiter *rate.Limiter
	begin   sync.Once // the ramp begins with the first change
	begun   time.Time
}

func newPacer(l Load) *pacer {
	p := &pacer{load: l, limiter: rate.NewLimiter(rate.Inf, 1)}
	if l.Rate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(l.Rate), max(1, l.Burst))
	}
	return p
}

// wait returns when the next change may be made. A load that is not valid lets none be made.
func (p *pacer) wait(ctx context.Context) error {
	if err := p.load.Validate(); err != nil {
		return err
	}
	p.begin.Do(func() { p.begun = time.Now() })
	if p.load.Rate > 0 && p.load.Ramp > 0 {
		share := min(1, 0.1+0.9*time.Since(p.begun).Seconds()/p.load.Ramp.Seconds())
		p.limiter.SetLimit(rate.Limit(p.load.Rate * share))
	}
	if err := p.limiter.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("wait for the next change: %w", err)
	}
	return nil
}
