//go:build linux

package impair

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

func TestSchedule(t *testing.T) {
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
	g := GilbertElliott{ToBad: 0.02, ToGood: 0.2, LostBad: 0.6, LostGood: 0.01}
	bad := g.ToBad / (g.ToBad + g.ToGood)
	for name, c := range map[string]struct {
		loss Loss
		want float64
	}{
		"random":          {Loss{Chance: Chance{Share: 0.05}}, 0.05},
		"Gilbert–Elliott": {Loss{GilbertElliott: &g}, bad*g.LostBad + (1-bad)*g.LostGood},
		// 1 in a gap, 2 received and 3 lost in a burst: p13 of state 1 goes to 3, p31 of state 3 back to 1.
		"four states": {Loss{FourState: &FourState{P13: 0.05, P31: 0.5}}, 0.05 / 0.55},
		"alone":       {Loss{FourState: &FourState{P14: 0.1}}, 0.1 / 1.1},
	} {
		s := c.loss.schedule(1)
		near(name, float64(s.of(Period, true))/Period, c.want)
		if again := c.loss.schedule(1); !slices.Equal(s, again) {
			t.Errorf("%s: a seed does not give the same losses", name)
		}
		if other := c.loss.schedule(2); slices.Equal(s, other) {
			t.Errorf("%s: another seed gives the same losses", name)
		}
		if got, want := s.of(Period+1000, false), s.of(Period, true)+s.of(1000, true); got != want {
			t.Errorf("%s: %d are lost after the period, want %d", name, got, want)
		}
	}
	numbered := Loss{Chance: Chance{Packets: []uint64{0, 63, 64, 1000}}}
	s := numbered.schedule(0)
	for n, want := range map[uint64]uint64{0: 0, 1: 1, 63: 1, 64: 2, 65: 3, 1000: 3, 1001: 4, 3 * Period: 4} {
		if got := s.of(n, true); got != want {
			t.Errorf("of %d packets %d are lost, want %d", n, got, want)
		}
	}
}

func TestDistributions(t *testing.T) {
	for d, median := range map[Distribution]float64{"": 0, Uniform: 0, Normal: 0, Pareto: (math.Cbrt(2) - 1.5) * 4 / 3} {
		q := Quality{Delay: time.Second, Jitter: 100 * time.Millisecond, Distribution: d}
		want := time.Second + time.Duration(median*float64(q.Jitter))
		if got := q.delayOf(0.5); (got - want).Abs() > time.Microsecond {
			t.Errorf("%s: the median is %v, want %v", d, got, want)
		}
		if table := d.table(); !slices.IsSorted(table) || math.Abs(float64(table[2048])/8192-median) > 0.01 {
			t.Errorf("%s: netem's table is wrong: median %d", d, table[2048])
		}
	}
	if got := (Quality{Delay: time.Millisecond, Jitter: time.Second}).delayOf(0); got != 0 {
		t.Errorf("a delay of %v", got)
	}
}

// TestClaimsWhilePacketsWait holds that a share is one of the packets that it was decided for, sent or not.
func TestClaimsWhilePacketsWait(t *testing.T) {
	q := Quality{Delay: time.Second, Duplication: Chance{Share: 0.1}, Corruption: Chance{Share: 0.1}}
	for _, c := range (Held{Came: 100, Kept: 110, Waiting: 110, Duplicated: 10, Corrupted: 11}).claims(q) {
		if c.Property != "delay" && c.State != metrics.InForce {
			t.Error(c)
		}
	}
}

func TestImpairmentAsJSON(t *testing.T) {
	asked := Impairment{Name: "bad", Direction: In, Quality: Quality{
		Delay: 100 * time.Millisecond, Jitter: time.Millisecond, Loss: Loss{Chance: Chance{Share: 0.01}}, Rate: 1e6, Corruption: Chance{Share: 0.1},
	}}
	text, err := json.Marshal(asked)
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(text, &fields))
	for _, name := range []string{"name", "direction", "delay", "jitter", "loss", "rate", "corruption"} {
		if fields[name] == nil {
			t.Errorf("%s is not in %s", name, text)
		}
	}
	if fields["duplication"] != nil || fields["filter"] != nil {
		t.Errorf("what is not asked is in %s", text)
	}
}

func TestCheck(t *testing.T) {
	for name, wrong := range map[string]Impairment{
		"name":      {Direction: Out},
		"direction": {Name: "x", Direction: "up"},
		"delay":     {Name: "x", Direction: Out, Quality: Quality{Delay: -1}},
		"reorder":   {Name: "x", Direction: Out, Quality: Quality{Reordering: Chance{Share: 0.1}}},
		"models":    {Name: "x", Direction: Out, Quality: Quality{Loss: Loss{Chance: Chance{Share: 0.1}, FourState: &FourState{}}}},
		"NaN":       {Name: "x", Direction: Out, Quality: Quality{Corruption: Chance{Share: math.NaN()}}},
	} {
		if wrong.Check() == nil {
			t.Errorf("%s: nothing is found wrong", name)
		}
	}
}

func TestNetemOptions(t *testing.T) {
	q := Quality{Delay: time.Second, Jitter: time.Millisecond, Distribution: Normal, Correlation: 0.5, Reordering: Chance{Share: 1}, Rate: 80e9, Seed: 3}
	n := q.netem()
	if *n.Latency64 != 1e9 || *n.Jitter64 != 1e6 || n.Corr.Delay != 1<<31 || n.Qopt.Gap != 1 || n.Reorder.Probability != math.MaxUint32 ||
		*n.Rate64 != 10e9 || n.Rate.Rate != math.MaxUint32 || *n.PrngSeed != 3 || len(*n.DelayDist) != 4096 || n.Qopt.Limit != DefaultLimit {
		t.Errorf("got %+v", n)
	}
	if again := (Quality{}).netem(); again.Rate == nil || again.Corrupt == nil || again.Corr == nil || again.Qopt.Gap != 0 {
		t.Errorf("what ends is not said: %+v", again)
	}
}
