package leak

import (
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
)

func series(g metrics.Gauge, see float64, f func(i float64) float64) Series {
	s := Series{Gauge: g, Quantum: 1, See: see}
	for i := range 12 {
		s.Add(i+1, f(float64(i)))
	}
	return s
}

func TestTrial(t *testing.T) {
	flat := func(float64) float64 { return 40 }
	grows := func(i float64) float64 { return 40 + 50*i }
	shaky := func(i float64) float64 { return 40 + 90*float64(int(i*7)%5) }
	place := func(f func(float64) float64) []Place {
		return []Place{{Kind: "heap", Site: "main.keep (a/b.go:3)", Bytes: 12800, Of: 1000, Series: series("objects", 0, f)}}
	}
	for name, c := range map[string]struct {
		gauge  Series
		sites  []Place
		left   []string
		want   metrics.Verdict
		reason string
	}{
		"none":            {series(metrics.Goroutines, 5, flat), nil, nil, metrics.Pass, "no leak above 0.0018 of goroutines per pod"},
		"a gauge":         {series(metrics.Goroutines, 5, grows), nil, nil, metrics.Fail, "leak: goroutines grows by 50 per cycle, 1 per pod"},
		"a place":         {series(metrics.Goroutines, 5, flat), place(grows), nil, metrics.Fail, "leak: main.keep (a/b.go:3) grows by 1.00 objects, 256 B per pod"},
		"a quiet place":   {series(metrics.Goroutines, 5, flat), place(flat), nil, metrics.Pass, ""},
		"something left":  {series(metrics.Goroutines, 5, flat), nil, []string{"left in links: a", "left in links: b"}, metrics.Fail, "left in links: a (and 1 more)"},
		"can't be told":   {series(metrics.Goroutines, 5, shaky), nil, nil, metrics.Inconclusive, "goroutines can't be told yet: about"},
		"was not asked":   {series(metrics.RSSBytes, 0, shaky), nil, nil, metrics.Pass, ""},
		"nothing is read": {Series{}, nil, nil, metrics.Inconclusive, "can't be told yet: about 8 more"},
	} {
		trial := Trial{Churn: "local-pods", Thing: "pod", Churned: 50, Cycles: 12, Gauges: []Series{c.gauge}, Exact: true, Sites: c.sites, Left: c.left}
		for _, trial.UntilSure = range []bool{false, true} {
			if v, why := trial.Judge(); v != c.want || !strings.Contains(why, c.reason) {
				t.Errorf("%s: got %v: %s, want %v: %s", name, v, why, c.want, c.reason)
			}
		}
	}
	if v, _ := (Trial{}).Judge(); v != metrics.Inconclusive {
		t.Errorf("an empty trial: %v", v)
	}
}

// TestLevel wants every look to spend a share of its own, and so an end between two looks.
func TestLevel(t *testing.T) {
	for cycles, k := range map[int]int{5: 1, 8: 1, 9: 2, 12: 2, 13: 3, 16: 3, 17: 4, 23: 4, 24: 4} {
		if got, want := (Trial{UntilSure: true, Cycles: cycles}).Level(), Spend(kindsOfProfiles, k); got != want {
			t.Errorf("after %d cycles: %g, want that of look %d, %g", cycles, got, k, want)
		}
	}
}
