// Package lifecycle undoes what was made, in order, and waits with a bound.
//
// It owns the undo stack and the bounded wait, and knows nothing of what they are for. An Undo is safe for concurrent use.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Undo is a stack of what must be undone. The zero value is ready to use.
type Undo struct {
	mu    sync.Mutex
	steps []step
}

type step struct {
	name string
	do   func(context.Context) error
}

// Push adds what must be undone; it is pushed before the thing is used, so that nothing is forgotten.
func (u *Undo) Push(name string, do func(context.Context) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.steps = append(u.steps, step{name, do})
}

// Unwind undoes everything, last in first out. It runs all steps whatever becomes of them, joins their errors, each under
// its name, and leaves the stack empty. The caller detaches ctx from the run's and bounds it.
func (u *Undo) Unwind(ctx context.Context) error {
	u.mu.Lock()
	steps := u.steps
	u.steps = nil
	u.mu.Unlock()
	var failed []error
	for _, s := range slices.Backward(steps) {
		if err := s.do(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(failed...)
}

// The pauses between tries of Wait double from the first to the second.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = 100 * time.Millisecond
)

type stopError struct{ error }

func (s stopError) Unwrap() error { return s.error }

// Stop marks an error of a try as final: Wait returns it at once.
func Stop(err error) error { return stopError{err} }

// Wait tries until try returns nil. Its error after the bound names what, the bound and the last cause; ctx's end and an
// error marked by Stop end it at once.
func Wait(ctx context.Context, what string, bound time.Duration, try func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	var last error
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		err := try(within)
		if err == nil {
			return nil
		}
		var final stopError
		if errors.As(err, &final) {
			return fmt.Errorf("%s: %w", what, final.error)
		}
		if last == nil || within.Err() == nil {
			last = err // a try that the bound cut short says nothing but that
		}
		timer := time.NewTimer(pause)
		select {
		case <-within.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w", what, context.Cause(ctx))
			}
			return fmt.Errorf("%s not ready within %v (last: %w)", what, bound, last)
		case <-timer.C:
		}
	}
}
