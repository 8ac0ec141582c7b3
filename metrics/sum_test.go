package metrics

import (
	"context"
	"errors"
	"maps"
	"testing"
)

// fixed is a source that always reads the same.
type fixed struct {
	name string
	snap Snapshot
	err  error
}

func (f fixed) Name() string                             { return f.name }
func (f fixed) Scrape(context.Context) (Snapshot, error) { return f.snap, f.err }

// TestSum wants no part of a sum to pass for the whole.
func TestSum(t *testing.T) {
	gone := errors.New("gone")
	one, two := fixed{"one", Snapshot{RSSBytes: 1, PSSBytes: 5}, nil}, fixed{"two", Snapshot{RSSBytes: 2, Threads: 3}, nil}
	for what, c := range map[string]struct {
		of   []Source
		want Snapshot
		err  error
	}{
		"one":                       {[]Source{one}, Snapshot{RSSBytes: 1, PSSBytes: 5}, nil},
		"two":                       {[]Source{one, two}, Snapshot{RSSBytes: 3}, nil},
		"one that can't be read":    {[]Source{one, fixed{"three", nil, gone}}, Snapshot{}, gone},
		"three, one of them partly": {[]Source{two, two, fixed{"three", Snapshot{Threads: 1}, gone}}, Snapshot{Threads: 7}, gone},
	} {
		s := NewSum(func() []Source { return c.of })
		got, err := s.Scrape(t.Context())
		if !maps.Equal(got, c.want) || !errors.Is(err, c.err) || s.Name() != c.of[0].Name() {
			t.Errorf("%s: %s reads %v, %v, want %v", what, s.Name(), got, err, c.want)
		}
	}
}
