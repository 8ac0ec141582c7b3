package metrics

import (
	"strings"
	"testing"
	"time"
)

// fakeClock steps its wall clock as told.
type fakeClock struct {
	at    time.Time
	ahead time.Duration
}

func (c *fakeClock) watch(t *testing.T, root string) (*Watch, *[]Vitals) {
	var seen []Vitals
	w := NewWatch(time.Second, func(v Vitals) { seen = append(seen, v) })
	w.root, w.now = root, func() time.Time { return c.at }
	w.wall = func(at time.Time) time.Time { return at.Add(c.ahead) }
	w.begin()
	return w, &seen
}

func TestWatchTellsAClockThatWasSet(t *testing.T) {
	for step, want := range map[time.Duration]time.Duration{
		time.Hour: time.Hour, -time.Second: -time.Second, 20 * time.Millisecond: 20 * time.Millisecond,
		500 * time.Microsecond: 0, -500 * time.Microsecond: 0, // it was made to go faster or slower for a second
	} {
		c := &fakeClock{at: time.Unix(1000, 0)}
		w, seen := c.watch(t, t.TempDir())
		c.at, c.ahead = c.at.Add(time.Second), step
		w.tell()
		if got := (*seen)[0].Driver.ClockStep; got != want {
			t.Errorf("set by %v: told %v", step, got)
		}
		c.at = c.at.Add(time.Second)
		w.tell()
		if got := (*seen)[1].Driver.ClockStep; got != 0 {
			t.Errorf("set by %v: told %v once more", step, got)
		}
	}
}

func TestWatchTellsHowLateItIs(t *testing.T) {
	c := &fakeClock{at: time.Unix(1000, 0)}
	w, seen := c.watch(t, t.TempDir())
	for _, late := range []time.Duration{0, Grace, 30 * time.Millisecond, 20 * time.Millisecond} {
		due := c.at.Add(heartbeat)
		c.at = due.Add(late)
		w.beat(due)
	}
	w.tell()
	w.tell()
	if d := (*seen)[0].Driver; d.Lost != 50*time.Millisecond || d.Latest != 30*time.Millisecond {
		t.Errorf("lost %v, %v at once", d.Lost, d.Latest)
	}
	if d := (*seen)[1].Driver; d.Lost != 0 {
		t.Errorf("lost %v in a span without a beat", d.Lost)
	}
}

func TestWatchReadsItsCgroup(t *testing.T) {
	for version, files := range map[string][2]map[string]string{
		"1": {
			{"cpu/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 1000000\n", "cpuacct/cpuacct.usage": "5000000000\n"},
			{"cpu/cpu.stat": "nr_periods 19\nnr_throttled 5\nthrottled_time 201000000\n", "cpuacct/cpuacct.usage": "5250000000\n"},
		},
		"2": {
			{"cpu.stat": "usage_usec 5000000\nnr_periods 9\nnr_throttled 2\nthrottled_usec 1000\n"},
			{"cpu.stat": "usage_usec 5250000\nnr_periods 19\nnr_throttled 5\nthrottled_usec 201000\n"},
		},
	} {
		c, root := &fakeClock{at: time.Unix(1000, 0)}, t.TempDir()
		write(t, root, files[0])
		w, seen := c.watch(t, root)
		write(t, root, files[1])
		c.at = c.at.Add(time.Second)
		w.tell()
		v := (*seen)[0]
		if d := v.Driver; d.Throttled != 200*time.Millisecond || d.Throttles != 3 || d.CPU != 0.25 || len(v.Lacks) > 0 {
			t.Errorf("version %s: got %+v, lacks %v", version, d, v.Lacks)
		}
	}
}

// TestWatchTellsOnceWhatItLacks is about a machine without cgroups.
func TestWatchTellsOnceWhatItLacks(t *testing.T) {
	c := &fakeClock{at: time.Unix(1000, 0)}
	w, seen := c.watch(t, t.TempDir())
	w.tell()
	w.tell()
	if first, second := (*seen)[0].Lacks, (*seen)[1].Lacks; len(first) != 2 || len(second) != 0 || !strings.Contains(first[0].Reason, "no cgroup") {
		t.Errorf("got %v, %v", first, second)
	}
}

func TestWatchRuns(t *testing.T) {
	spans := make(chan Vitals, 100)
	w := NewWatch(20*time.Millisecond, func(v Vitals) { spans <- v })
	go w.Run(t.Context())
	for range 2 {
		if v := <-spans; v.Took < 20*time.Millisecond || v.Driver == nil {
			t.Errorf("got %+v", v)
		}
	}
}
