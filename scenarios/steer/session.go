package steer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// Entry is an order that was carried out, or could not be.
type Entry struct {
	Number int           `json:"number"` // from 1
	At     time.Duration `json:"at"`     // since the session began
	Took   time.Duration `json:"took"`
	Order  Order         `json:"order"`
	Words  string        `json:"words"`
	Error  string        `json:"error,omitempty"`
}

// Session is a cluster that is steered, from the end of its deployment on. Close must be called.
type Session struct {
	world *engine.World
	began time.Time
	tell  func(Entry) // called from several goroutines, one after the other

	ctx    context.Context // of all that goes on in the background
	cancel context.CancelFunc
	group  sync.WaitGroup

	orders sync.Mutex // one order at a time; it is held as well while flows are tried, so that none is under way when a path changes

	mu          sync.Mutex // of what follows
	entries     int
	traffic     []*traffic
	ports       uint16 // dealt out so far
	churn       []*churning
	impairments []impairment
	foreign     map[workloads.Key]bool // pods whose links somebody else has impaired
	crossing    bool                   // and the node's to other nodes
	tried       map[link]trial
	away        string // what is done to the agent; empty: nothing
	looked      time.Time
	seen        map[string]sight // connections as they were at the last look
}

// Open begins to steer a world. Tell is told of each order.
func Open(ctx context.Context, w *engine.World, tell func(Entry)) *Session {
	ctx, cancel := context.WithCancel(ctx)
	s := &Session{world: w, began: time.Now(), tell: tell, ctx: ctx, cancel: cancel, tried: map[link]trial{}, seen: map[string]sight{}}
	s.background(s.tryFlows)
	return s
}

func (s *Session) background(do func(context.Context)) {
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		do(s.ctx)
	}()
}

// Carry carries an order out, and tells of it. What is done to the agent for a time goes on when it returns.
func (s *Session) Carry(ctx context.Context, o Order) error {
	began := time.Now()
	o.After = 0
	if err := o.Check(); err != nil {
		s.note(began, o, err)
		return err
	}
	s.orders.Lock()
	defer s.orders.Unlock()
	if o.Agent != nil {
		return s.takeAway(o)
	}
	err := s.carry(ctx, o)
	s.note(began, o, err)
	return err
}

func (s *Session) carry(ctx context.Context, o Order) error {
	switch {
	case o.Traffic != nil:
		return s.startTraffic(*o.Traffic)
	case o.StopTraffic != "":
		return s.stopTraffic(o.StopTraffic)
	case o.Impair != nil:
		return s.impair(*o.Impair)
	case o.Mend != "":
		return s.mend(o.Mend)
	case o.Churn != nil:
		return s.startChurn(*o.Churn)
	case o.StopChurn != "":
		return s.stopChurn(o.StopChurn)
	case o.Policy != nil:
		return s.addPolicy(ctx, *o.Policy)
	}
	return s.removePolicy(ctx, o.RemovePolicy)
}

func (s *Session) note(began time.Time, o Order, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries++
	e := Entry{Number: s.entries, At: began.Sub(s.began), Took: time.Since(began), Order: o, Words: o.String()}
	if err != nil {
		e.Error = err.Error()
	}
	s.tell(e)
}

// takeAway does something to the agent in the background, for other orders go on meanwhile.
func (s *Session) takeAway(o Order) error {
	began := time.Now()
	s.mu.Lock()
	busy := s.away
	if busy == "" {
		s.away = o.String()
	}
	s.mu.Unlock()
	if busy != "" {
		err := fmt.Errorf("wait for the end of this: %s", busy)
		s.note(began, o, err)
		return err
	}
	s.background(func(ctx context.Context) {
		err := s.world.Away(func() error {
			if o.Agent.Do == Freeze {
				return s.world.Freeze(func() error { pause(ctx, o.Agent.For); return nil })
			}
			if s.world.Agent == nil {
				return errors.New("nobody stops and starts the agent here")
			}
			if err := s.world.Agent.Stop(ctx); err != nil {
				return err
			}
			pause(ctx, o.Agent.For)
			return s.world.Agent.Start(context.WithoutCancel(ctx)) // a node without an agent is of use to nobody
		})
		s.mu.Lock()
		s.away = ""
		s.mu.Unlock()
		s.note(began, o, err)
	})
	return nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Close ends all that was started, records what became of it, and returns what was not as the orders want it. Policies stay.
func (s *Session) Close() error {
	s.orders.Lock()
	defer s.orders.Unlock()
	s.cancel()
	s.group.Wait()
	var errs []error
	for len(s.traffic) > 0 {
		errs = append(errs, s.stopTraffic(s.traffic[0].order.Name))
	}
	if len(s.impairments) > 0 {
		errs = append(errs, s.mend(Everything))
	}
	for _, c := range s.churn {
		errs = append(errs, c.err)
	}
	return errors.Join(errs...)
}

// record writes down what became of traffic.
func (s *Session) record(t *traffic, r load.Report) error {
	for _, m := range r.Measurements(t.order.Name) {
		s.world.Measure(m)
	}
	return effects.Within("traffic "+t.order.Name, t.order.Budget, r)
}

// find returns the pod of a short name.
func (s *Session) find(name string) (workloads.Pod, error) {
	for _, p := range s.world.Fleet.State().Pods().All() {
		if Short(p.Key) == name {
			return p, nil
		}
	}
	return workloads.Pod{}, fmt.Errorf("there is no pod %q", name)
}

// namespace returns the whole name of a namespace.
func (s *Session) namespace(name string) (string, error) {
	for _, n := range s.world.Fleet.State().Namespaces().List() {
		if ShortNamespace(n.Name) == name {
			return n.Name, nil
		}
	}
	return "", fmt.Errorf("there is no namespace %q", name)
}

// running returns the traffic of that name; nil: there is none.
func (s *Session) running(name string) *traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.traffic, func(t *traffic) bool { return t.order.Name == name }); i >= 0 {
		return s.traffic[i]
	}
	return nil
}
