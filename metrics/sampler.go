package metrics

import (
	"context"
	"math"
	"sync"
	"time"
)

// scrapeBound is the longest that any source may take; one that is slower leaves a gap.
const scrapeBound = 5 * time.Second

// Sampler takes points of several sources, at intervals and on demand. It is safe for concurrent use.
type Sampler struct {
	every   time.Duration
	sources []Source

	mu    sync.Mutex
	phase Phase
	last  Point

	sinkMu sync.Mutex
	sink   func(Point)

	turn chan struct{} // full while Run takes a point, and while it must not
}

// NewSampler returns a sampler that hands every point to sink, one at a time; sink may be nil. Where two sources have
// the same gauge, the first one counts.
func NewSampler(every time.Duration, sink func(Point), sources ...Source) *Sampler {
	if sink == nil {
		sink = func(Point) {}
	}
	return &Sampler{every: every, sink: sink, sources: sources, turn: make(chan struct{}, 1)}
}

// Run samples at once and then at each interval until ctx ends. An interval that passes during a slow scrape is left
// out.
func (s *Sampler) Run(ctx context.Context) {
	tick := time.NewTicker(max(s.every, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		p := s.take(ctx, false)
		<-s.turn
		if ctx.Err() != nil {
			return // its gaps would say nothing but that we are leaving
		}
		s.deliver(p)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Hush waits until Run takes no point and lets it take none until resume is called, which must happen once. What is read of the target meanwhile
// is not mixed with what being sampled costs it.
func (s *Sampler) Hush() (resume func()) {
	s.turn <- struct{}{}
	return func() { <-s.turn }
}

// SetPhase says what the points that are begun from now on belong to. Its field Settled is ignored: a point is
// settled only if it was asked for as such.
func (s *Sampler) SetPhase(p Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
}

// Sample takes one point now, hands it to the sink and returns it. settled says that the target was asked before to
// release what it can.
func (s *Sampler) Sample(ctx context.Context, settled bool) Point {
	p := s.take(ctx, settled)
	s.deliver(p)
	return p
}

// Last returns the newest point, or the zero Point before there is one. Its maps must not be changed.
func (s *Sampler) Last() Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *Sampler) deliver(p Point) {
	s.mu.Lock()
	if p.At.After(s.last.At) {
		s.last = p
	}
	s.mu.Unlock()
	s.sinkMu.Lock()
	defer s.sinkMu.Unlock()
	s.sink(p)
}

func (s *Sampler) take(ctx context.Context, settled bool) Point {
	s.mu.Lock()
	p := Point{At: time.Now(), Phase: s.phase, Values: Snapshot{}}
	s.mu.Unlock()
	p.Settled = settled

	ctx, cancel := context.WithTimeout(ctx, scrapeBound)
	defer cancel()
	snaps, errs := make([]Snapshot, len(s.sources)), make([]error, len(s.sources))
	var wg sync.WaitGroup
	for i, src := range s.sources {
		wg.Go(func() { snaps[i], errs[i] = src.Scrape(ctx) })
	}
	wg.Wait()
	for i, src := range s.sources {
		if errs[i] != nil {
			p.Gaps = append(p.Gaps, Gap{Source: src.Name(), Reason: oneLine(errs[i])})
		}
		p.merge(src.Name(), snaps[i])
	}
	return p
}

func (p *Point) merge(source string, snap Snapshot) {
	for g, v := range snap {
		if math.IsNaN(v) || math.IsInf(v, 0) { // JSON has no such number: it would cost us the whole point
			p.Gaps = append(p.Gaps, Gap{Source: source, Reason: string(g) + " is not a finite number"})
			continue
		}
		if _, taken := p.Values[g]; !taken {
			p.Values[g] = v
		}
	}
}
