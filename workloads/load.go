package workloads

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/time/rate"
)

// Load is how fast changes are made. The zero value means as fast as possible.
type Load struct {
	Rate float64 // changes per second; 0: unthrottled
}

// Validate refuses a rate that is negative, no number or without end.
func (l Load) Validate() error {
	if !(l.Rate >= 0) || math.IsInf(l.Rate, 1) {
		return fmt.Errorf("load of %g changes per second: want a finite number, not negative", l.Rate)
	}
	return nil
}

// pacer makes changes wait for their turn. It is safe for concurrent use.
type pacer struct {
	load    Load
	limiter *rate.Limiter
}

func newPacer(l Load) *pacer {
	p := &pacer{load: l, limiter: rate.NewLimiter(rate.Inf, 1)}
	if l.Rate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(l.Rate), 1)
	}
	return p
}

// wait returns when the next change may be made. A load that is not valid lets none be made.
func (p *pacer) wait(ctx context.Context) error {
	if err := p.load.Validate(); err != nil {
		return err
	}
	if err := p.limiter.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("wait for the next change: %w", err)
	}
	return nil
}
