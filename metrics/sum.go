package metrics

import (
	"context"
	"errors"
	"sync"
)

// Sum is a Source that adds up others of one kind, of which there may be more or fewer at each scrape. It is safe for concurrent use.
type Sum struct{ of func() []Source }

// NewSum returns a source that adds up those which of returns, at least one.
func NewSum(of func() []Source) *Sum { return &Sum{of} }

// Name returns the name of the first.
func (s *Sum) Name() string { return s.of()[0].Name() }

// Scrape reads all at once. A gauge that one of them does not tell is absent: a part would pass for the whole.
func (s *Sum) Scrape(ctx context.Context) (Snapshot, error) {
	sources := s.of()
	snaps, errs := make([]Snapshot, len(sources)), make([]error, len(sources))
	var wg sync.WaitGroup
	for i, src := range sources {
		wg.Go(func() { snaps[i], errs[i] = src.Scrape(ctx) })
	}
	wg.Wait()
	sum := snaps[0]
	for _, snap := range snaps[1:] {
		both := Snapshot{}
		for g, v := range sum {
			if more, ok := snap[g]; ok {
				both[g] = v + more
			}
		}
		sum = both
	}
	return sum, errors.Join(errs...)
}
