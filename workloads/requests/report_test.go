package requests

import (
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

var r0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seconds are some with so many answers each and such a median, in milliseconds.
func seconds(t *testing.T, of ...[2]float64) (all []Second) {
	t.Helper()
	for _, s := range of {
		h := metrics.NewHistogram(1e-6, 10)
		if err := h.Record(s[1] / 1e3); err != nil {
			t.Fatal(err)
		}
		all = append(all, Second{Due: uint64(s[0]), Right: uint64(s[0]), Latency: h})
	}
	return all
}

// TestWarm holds the rule.
func TestWarm(t *testing.T) {
	steady := [2]float64{1000, 1}
	for name, c := range map[string]struct {
		seconds []Second
		after   int
		why     string
	}{
		"at once":              {seconds(t, steady, steady, steady, steady, steady, steady), 2, ""},
		"too short":            {seconds(t, steady, steady, steady, steady, steady), 0, "lasted 5 s"},
		"slow at first":        {seconds(t, [2]float64{500, 9}, [2]float64{900, 5}, steady, steady, steady, steady, steady, steady), 4, ""},
		"medians move":         {seconds(t, [2]float64{1000, 1}, steady, [2]float64{1000, 2}, [2]float64{1000, 2}, [2]float64{1000, 4}, [2]float64{1000, 4}), 0, "no two"},
		"fewer by a tenth":     {seconds(t, steady, steady, [2]float64{900, 1}, [2]float64{900, 1}, [2]float64{800, 1}, [2]float64{800, 1}), 0, "no two"},
		"small times may vary": {seconds(t, [2]float64{1000, .05}, [2]float64{1000, .05}, [2]float64{1000, .09}, [2]float64{1000, .09}, steady, steady), 2, ""},
		"no answers":           {make([]Second, 8), 0, "no two"},
	} {
		after, why := Warm(c.seconds)
		if after != c.after || (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: after %d, %q; want %d, %q", name, after, why, c.after, c.why)
		}
	}
}

// TestOverloaded wants a load to be told that a SUT can't do, though it never becomes steady, and none that it can.
func TestOverloaded(t *testing.T) {
	due := func(n uint64, of ...[2]float64) []Second {
		all := seconds(t, of...)
		for i := range all {
			all[i].Due = n
		}
		return all
	}
	growing := [][2]float64{{900, 1}, {900, 1}, {800, 500}, {700, 900}, {800, 1500}, {600, 2500}, {700, 3000}}
	for name, c := range map[string]struct {
		load    Load
		seconds []Second
		over    bool
		warm    int
	}{
		"more than it can": {Load{}, due(1000, growing...), true, 2},
		"just what it can": {Load{}, due(650, growing...), false, 0},
		"once it can":      {Load{}, due(1000, append([][2]float64{{900, 1}, {900, 1}, {1000, 1}, {1000, 1}}, growing...)...), false, 0},
		"a closed loop":    {Load{Closed: true}, due(1000, growing...), false, 0},
		"too short":        {Load{}, due(1000, growing[:5]...), false, 0},
	} {
		r, err := Join(c.load, r0, time.Second, []Share{{Seconds: c.seconds}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Overloaded != c.over || r.Warm != c.warm || (r.Cold == "") != c.over {
			t.Errorf("%s: over %v, warm after %d, %q", name, r.Overloaded, r.Warm, r.Cold)
		}
	}
}

// TestJoin wants what processes tell to add up, and a load that its client made late to be doubted.
func TestJoin(t *testing.T) {
	steady := [2]float64{1000, 1}
	share := func(late float64) Share {
		h := metrics.NewHistogram(1e-6, 10)
		for range 100 {
			if err := h.Record(late); err != nil {
				t.Fatal(err)
			}
		}
		return Share{Count: Count{Due: 6100, Sent: 6090, Right: 6000, Wrong: map[string]uint64{"status 503": 40}, Failures: map[Failure]uint64{Reset: 50}},
			Seconds: seconds(t, steady, steady, steady, steady, steady, steady), Lateness: h, Standing: 5, IdleStood: 7, IdleLost: 1}
	}
	r, err := Join(Load{}, r0, 6e9, []Share{share(1e-4), share(1e-4)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Count.Right != 12000 || r.Count.Bad() != 200 || r.Warm != 2 || r.Achieved() != 2000 || r.Latency.N() != 8 || r.All().N() != 12 || r.Standing != 10 || r.IdleLost != 2 || r.Doubt() != "" {
		t.Errorf("%+v: %s", r, r.Doubt())
	}
	if !strings.Contains(r.String(), "failed      100 reset") {
		t.Errorf("%s", r)
	}
	if r, err = Join(Load{}, r0, 6e9, []Share{share(1e-4), share(2e-3)}); err != nil || !strings.HasPrefix(r.Doubt(), "client-bound: ") {
		t.Errorf("a late client: %q, %v", r.Doubt(), err)
	}
	own := share(1e-4)
	own.Count.Begun = map[Failure]uint64{Own: 3}
	if r, err = Join(Load{}, r0, 6e9, []Share{own}); err != nil || !strings.HasPrefix(r.Doubt(), "client-bound: 3 ") {
		t.Errorf("no ports: %q, %v", r.Doubt(), err)
	}
}
