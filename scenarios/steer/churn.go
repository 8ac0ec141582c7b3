package steer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/scenarios/leak"
)

// churning is churn of one kind.
type churning struct {
	order  Churn
	cycles int
	made   int // objects, of all cycles
	err    error
	cancel context.CancelFunc
	done   chan struct{}
}

func (s *Session) startChurn(c Churn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.churns(c.Kind); at >= 0 {
		if s.churn[at].err == nil {
			s.churn[at].order = c // from the next cycle on
			return nil
		}
		s.churn = slices.Delete(s.churn, at, at+1) // it has ended
	}
	ctx, cancel := context.WithCancel(s.ctx)
	run := &churning{order: c, cancel: cancel, done: make(chan struct{})}
	s.churn = append(s.churn, run)
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		defer close(run.done)
		s.churnOn(ctx, run)
	}()
	return nil
}

// churns is the place of churn of a kind, or -1; the lock is held.
func (s *Session) churns(kind string) int {
	return slices.IndexFunc(s.churn, func(c *churning) bool { return c.order.Kind == kind })
}

func (s *Session) churnOn(ctx context.Context, c *churning) {
	for cycle := 1; ctx.Err() == nil; cycle++ {
		s.mu.Lock()
		order := c.order
		s.mu.Unlock()
		end := time.Now().Add(order.Every)
		made, err := leak.Cycle(context.WithoutCancel(ctx), s.world, order.Kind, cycle, order.Objects, func() error {
			pause(ctx, order.Every/2)
			return nil
		})
		s.mu.Lock()
		c.cycles, c.made, c.err = cycle, c.made+made, err
		s.mu.Unlock()
		if err != nil {
			s.note(time.Now(), Order{Churn: &order}, fmt.Errorf("it ended in cycle %d: %w", cycle, err))
			return
		}
		pause(ctx, time.Until(end))
	}
}

func (s *Session) stopChurn(kind string) error {
	s.mu.Lock()
	at := s.churns(kind)
	if at < 0 {
		s.mu.Unlock()
		return errors.New("there is no churn of " + kind)
	}
	c := s.churn[at]
	s.mu.Unlock()
	c.cancel()
	<-c.done // so that nothing of it is left
	s.mu.Lock()
	defer s.mu.Unlock()
	s.churn = slices.DeleteFunc(s.churn, func(other *churning) bool { return other == c })
	return nil
}
