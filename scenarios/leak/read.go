package leak

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// asked is what is asked of each gauge: see leak.Question. The heap as the SUT's runtime tells it
// includes what became garbage since the last collection, so it is asked about only where there is no better.
var asked = []struct {
	gauge   metrics.Gauge
	quantum float64
	see     see
}{
	{metrics.LiveBytes, 8, bytes}, {metrics.LiveObjects, 1, all}, {metrics.HeapBytes, 8, bytes}, {metrics.HeapObjects, 1, all}, {metrics.Goroutines, 1, counts},
	{metrics.Threads, 1, all}, {metrics.FDs, 1, counts}, {metrics.RSSBytes, 4096, all}, {metrics.PSSBytes, 1024, all},
}

// see is how small a growth must be told from none.
type see int

const (
	all    see = iota // whatever can be told
	bytes             // Order.See for each object
	counts            // see seeCounts
)

// reader keeps what was read in the cycles of an order.
type reader struct {
	trial  leak.Trial
	series map[metrics.Gauge]*leak.Series
	order  []metrics.Gauge // of the series, as they were first read

	before, previous, last kernel.Census
	profiles               map[sites.Kind]*sites.Series
	none                   map[sites.Kind]bool // of which the SUT shows no profile
}

func (r *reader) baseline(ctx context.Context, w *engine.World) (err error) {
	if effects.InspectorOf(w) == nil {
		return errors.New("nobody looks into the SUT")
	}
	r.series, r.none = map[metrics.Gauge]*leak.Series{}, map[sites.Kind]bool{}
	r.profiles = map[sites.Kind]*sites.Series{sites.Heap: {}, sites.Goroutines: {}, sites.Leaked: {}}
	r.before, err = census(ctx, w)
	return err
}

// settleFor is how long it may take in all until two readings in a row agree, and settlePause what lies between them. They may agree while the SUT
// works on something, such as a program that it runs, for each of which it has four goroutines: as long as it has more of them than after the cycle
// before, it is read again, for calmFor at most. A SUT that leaks goroutines has more each time, and is only read more often.
const (
	settleFor   = 15 * time.Second
	settlePause = 700 * time.Millisecond
	calmFor     = 5 * time.Second
)

// reading is what is read of the SUT at one time.
type reading struct {
	values  metrics.Snapshot
	heap    sites.Table
	profile []byte // of the heap; nil: the SUT has none
	gap     string // why something could not be read; empty: all was
}

// read reads everything once after a cycle, as soon as the SUT has settled.
func (r *reader) read(ctx context.Context, w *engine.World, c *course) error {
	if err := effects.InspectorOf(w).Retire(gone(w)); err != nil {
		return err
	}
	now, err := r.settled(ctx, w)
	if err != nil {
		return err
	}
	if now.gap != "" {
		r.trial.Missed, r.trial.Gap = r.trial.Missed+1, now.gap
	}
	r.addGauges(now.values, c)
	r.previous = r.last
	if r.last, err = census(ctx, w); err != nil {
		return err
	}
	for _, class := range counted {
		if _, ok := r.last[class]; ok {
			see := seeCounts
			if slices.Contains(passing, class) {
				see = 0
			}
			r.add(metrics.Gauge(leak.KernelGauge+string(class)), 1, see, c.cycle, float64(r.last.Count(class)))
		}
	}
	r.addDescriptors(c.cycle)
	if err := r.places(ctx, w, c.cycle, now); err != nil {
		return err
	}
	r.trial.Cycles = c.cycle
	told := r.told()
	w.Record(report.Entry{Leak: &told})
	return nil
}

func (r *reader) addGauges(values metrics.Snapshot, c *course) {
	_, live := values[metrics.LiveBytes]
	for _, q := range asked {
		v, ok := values[q.gauge]
		if !ok {
			continue
		}
		growth := 0.0
		switch {
		case q.see == counts:
			growth = seeCounts
		case q.see == bytes && !(live && q.gauge == metrics.HeapBytes):
			growth = c.order.See * float64(c.objects)
		}
		r.add(q.gauge, q.quantum, growth, c.cycle, v)
	}
}

// seeCounts is how many more goroutines, descriptors or kernel objects in each cycle must be told from none. It does not depend on how many objects are
// churned: what leaks by some failure on the way leaks by cycles.
const seeCounts = 0.5

func (r *reader) add(g metrics.Gauge, quantum, see float64, cycle int, v float64) {
	s := r.series[g]
	if s == nil {
		s = &leak.Series{Gauge: g, Quantum: quantum, See: see}
		r.series[g], r.order = s, append(r.order, g)
	}
	s.Add(cycle, v)
}

// addDescriptors counts descriptors by kind. Of a kind that is met for the first time there were none before.
func (r *reader) addDescriptors(cycle int) {
	kinds := map[metrics.Gauge]int{}
	for _, g := range r.order {
		if strings.HasPrefix(string(g), leak.DescriptorGauge) {
			kinds[g] = 0
		}
	}
	for name, n := range r.last[kernel.Descriptors] {
		kinds[metrics.Gauge(leak.DescriptorGauge+kernel.DescriptorKind(name))] += n
	}
	for _, g := range slices.Sorted(maps.Keys(kinds)) {
		if r.series[g] == nil {
			for before := 1; before < cycle; before++ {
				r.add(g, 1, 0, before, 0)
			}
		}
		r.add(g, 1, 0, cycle, float64(kinds[g]))
	}
}

// settled reads the SUT until two readings in a row agree: an agent may clean up for seconds after what it served is gone. What it returns is what was
// there both times, and of counts the fewest that were read: what the SUT, or who asks it, works on at the moment is not in all of them.
func (r *reader) settled(ctx context.Context, w *engine.World) (reading, error) {
	before, err := r.now(ctx, w)
	least := fewer(nil, before.values)
	var calmBy time.Time // since readings agreed
	for until := time.Now().Add(settleFor); err == nil; {
		if err = engine.Pause(ctx, settlePause); err != nil {
			break
		}
		var now reading
		if now, err = r.now(ctx, w); err != nil {
			break
		}
		least = fewer(least, now.values)
		if calmBy.IsZero() && before.gap == "" && now.gap == "" && agree(before.values, now.values) {
			calmBy = time.Now().Add(calmFor)
		}
		calm := !r.grew(metrics.Goroutines, least) || time.Now().After(calmBy)
		if over := time.Now().After(until); over || calm && !calmBy.IsZero() {
			if calmBy.IsZero() {
				r.trial.Restless++
			}
			now.live(before.heap.Both(now.heap))
			maps.Copy(now.values, least)
			return now, nil
		}
		before = now
	}
	return before, err
}

// now reads the SUT once, after it has collected garbage. A heap profile tells what that left, whatever was allocated since.
func (r *reader) now(ctx context.Context, w *engine.World) (reading, error) {
	var now reading
	var err error
	now.heap, now.profile, err = r.profile(ctx, w, sites.Heap)
	if err == nil && now.profile == nil {
		err = w.SUT.Quiesce(ctx)
	}
	if err != nil {
		return now, fmt.Errorf("ask the SUT to collect garbage: %w", err)
	}
	point := effects.InspectorOf(w).Sample(ctx)
	now.values = metrics.Snapshot{}
	maps.Copy(now.values, point.Values)
	if len(point.Gaps) > 0 {
		now.gap = point.Gaps[0].Source + ": " + point.Gaps[0].Reason
	}
	now.live(now.heap)
	return now, nil
}

// live takes a table for what the heap held.
func (now *reading) live(heap sites.Table) {
	if now.heap = heap; heap.Exact {
		total := heap.Total()
		now.values[metrics.LiveBytes], now.values[metrics.LiveObjects] = float64(total.Bytes), float64(total.Objects)
	}
}

// grew reports whether a gauge is above what it was after the cycle before.
func (r *reader) grew(g metrics.Gauge, now metrics.Snapshot) bool {
	s := r.series[g]
	return s != nil && now[g] > s.Values[len(s.Values)-1]
}

// fewer returns the counts of a reading, or those read before if they are less.
func fewer(before, now metrics.Snapshot) metrics.Snapshot {
	least := maps.Clone(before)
	if least == nil {
		least = metrics.Snapshot{}
	}
	for _, g := range []metrics.Gauge{metrics.Goroutines, metrics.Threads, metrics.FDs} {
		if v, ok := now[g]; ok {
			if few, ok := least[g]; !ok || v < few {
				least[g] = v
			}
		}
	}
	return least
}

// agree reports whether two readings are the same but for what being read costs.
func agree(a, b metrics.Snapshot) bool {
	near := func(g metrics.Gauge, most float64) bool { return math.Abs(a[g]-b[g]) <= most }
	if _, live := a[metrics.LiveBytes]; live {
		return near(metrics.LiveBytes, 128<<10) && near(metrics.Goroutines, 3) && near(metrics.FDs, 3)
	}
	return near(metrics.HeapBytes, 256<<10) && near(metrics.Goroutines, 3) && near(metrics.FDs, 3)
}

// told is what has been read so far.
func (r *reader) told() leak.Trial {
	t := r.trial
	t.Gauges, t.Sites = nil, nil
	for _, g := range r.order {
		s := *r.series[g]
		s.Cycles, s.Values = slices.Clone(s.Cycles), slices.Clone(s.Values)
		t.Gauges = append(t.Gauges, s)
	}
	if r.trial.Exact {
		t.Sites = r.growing(sites.Heap, "objects", t.Level())
	}
	t.Sites = slices.Concat(r.growing(sites.Leaked, "goroutines", t.Level()), r.growing(sites.Goroutines, "goroutines", t.Level()), t.Sites)
	t.Left = r.left()
	return t
}
