package routed

import (
	"context"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// Timed is a change whose way to the answers is timed.
type Timed struct {
	Operation string          // such as "route added"
	Load      string          // what goes on besides
	Request   routing.Request // whose answer it changes
	Do        func(context.Context) error
	// Status is asked for the status of the route after the write, and tells whether it is published; nil: it is not looked at.
	Status func(context.Context) (bool, error)
}

const (
	// askEvery is how often what is timed is asked for.
	askEvery = 5 * time.Millisecond
	// lookEvery is how often a status is looked at.
	lookEvery = 20 * time.Millisecond
	// quiet is how long a pod must not have answered to be taken for left out.
	quiet = 3 * time.Second
)

// Time makes a change and records how long it took from the beginning of the write until the first answer that is right since, and until the status is
// published. What may answer before and after the change must have nothing in common.
func (p *Proxied) Time(ctx context.Context, w *engine.World, t Timed) error {
	begun := time.Now()
	if err := t.Do(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.Operation, err)
	}
	looks, end := context.WithCancel(ctx)
	published := awaitStatus(looks, t) // before the write it may be published of what was there
	defer func() {
		end()
		for range published { // until it is over: nothing of the step may go on after it
		}
	}()
	want := routing.NewTable(p.Dialect, w.Fleet.State()).Answer(t.Request)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	before := begun
	for {
		o := p.Ask(ctx, t.Request)
		if o.Failure.Ours() {
			return fmt.Errorf("%s: %s: %s", t.Request, o.Failure, o.Why)
		}
		if o.allowed(want) {
			took(w, "route", t, "first right answer", begun, o.Answer.Answered, o.Answer.Answered.Sub(before))
			break
		}
		if time.Since(begun) > engine.DefaultBound {
			return fmt.Errorf("after %s: %s: not %q within %v (last %q): %w", t.Operation, t.Request, want, engine.DefaultBound, o, engine.ErrBroken)
		}
		before = o.Answer.Answered
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	seen, wanted := <-published
	if wanted && seen.err == nil {
		took(w, "route", t, "status published", begun, seen.at, lookEvery)
	}
	return seen.err
}

// publication is when a status was published.
type publication struct {
	at  time.Time
	err error
}

// awaitStatus looks at a status until it is published or ctx ends, tells that once and closes; nobody wants to know: it closes at once.
func awaitStatus(ctx context.Context, t Timed) <-chan publication {
	out := make(chan publication, 1)
	if t.Status == nil {
		close(out)
		return out
	}
	go func() {
		defer close(out)
		begun := time.Now()
		for {
			there, err := t.Status(ctx)
			switch {
			case there:
				out <- publication{at: time.Now()}
				return
			case ctx.Err() != nil:
				out <- publication{err: context.Cause(ctx)}
				return
			case time.Since(begun) > 2*engine.DefaultBound:
				out <- publication{err: fmt.Errorf("%s: the status was not published within %v (last: %v): %w", t.Operation, 2*engine.DefaultBound, err, engine.ErrBroken)}
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	}()
	return out
}

// TimeLast makes a change after which a pod is to answer no more, and records how long it took from the beginning of the write until its last answer. That
// it would still be asked after some seconds without an answer of its own is not seen.
func (p *Proxied) TimeLast(ctx context.Context, w *engine.World, t Timed, pod workloads.Key) error {
	begun := time.Now()
	if err := t.Do(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.Operation, err)
	}
	last, tick := begun, time.NewTicker(askEvery)
	defer tick.Stop()
	for time.Since(last) < quiet {
		o := p.Ask(ctx, t.Request)
		if o.Failure.Ours() {
			return fmt.Errorf("%s: %s: %s", t.Request, o.Failure, o.Why)
		}
		if o.Pod == pod {
			last = o.Answer.Answered
		}
		if time.Since(begun) > engine.DefaultBound {
			return fmt.Errorf("after %s: %s still answers after %v: %w", t.Operation, pod, engine.DefaultBound, engine.ErrBroken)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	took(w, "route", t, "last answer of it", begun, last, 2*askEvery)
	return nil
}

// Reach asks until a pod has answered, at most for engine.DefaultBound.
func (p *Proxied) Reach(ctx context.Context, r routing.Request, pod workloads.Key) error {
	begun, tick := time.Now(), time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		o := p.Ask(ctx, r)
		switch {
		case o.Failure.Ours():
			return fmt.Errorf("%s: %s: %s", r, o.Failure, o.Why)
		case o.Pod == pod:
			return nil
		case time.Since(begun) > engine.DefaultBound:
			return fmt.Errorf("%s: %s has not answered within %v (last: %s): %w", r, pod, engine.DefaultBound, o, engine.ErrBroken)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func took(w *engine.World, name string, t Timed, until string, begun, at time.Time, resolution time.Duration) {
	w.Measure(metrics.Measurement{
		Name: name, Unit: metrics.Seconds,
		Labels:  []metrics.Label{{Name: "operation", Value: t.Operation}, {Name: "load", Value: t.Load}, {Name: "until", Value: until}},
		Doc:     "From the beginning of the API write until the first answer that is right since, until the controller has published the status, or until the last answer of what is gone.",
		Samples: []metrics.Sample{metrics.Since(begun, at.Sub(begun), resolution)},
	})
}

// Expect wants some requests to be answered as the model says, and waits for that as the effects do.
func (p *Proxied) Expect(ctx context.Context, w *engine.World, all ...routing.Request) error {
	return w.Expect(ctx, these{Answered{p}, all}, 0, func(f report.Finding) { w.Note(f) })
}

// these are some requests.
type these struct {
	Answered
	all []routing.Request
}

// Want asks the model.
func (p these) Want(s workloads.State) engine.Facts { return p.want(s, p.all) }

// Got makes the requests.
func (p these) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	return p.got(ctx, s, p.all)
}
