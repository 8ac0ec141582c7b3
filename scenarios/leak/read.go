package leak

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
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
	{metrics.Threads, 1, all}, {metrics.FDs, 1, counts}, {metrics.RSSBytes, 4096, all},
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
	none                   bool // the SUT shows no profiles
}

func (r *reader) baseline(ctx context.Context, w *engine.World) (err error) {
	if effects.Of(w).Inspect == nil {
		return errors.New("nobody looks into the SUT")
	}
	r.series, r.profiles = map[metrics.Gauge]*leak.Series{}, map[sites.Kind]*sites.Series{sites.Heap: {}, sites.Goroutines: {}}
	r.before, err = census(ctx, w)
	return err
}

// settleFor is how long two readings in a row may take to agree, and settlePause what lies between them.
const (
	settleFor   = 15 * time.Second
	settlePause = 700 * time.Millisecond
)

// reading is what is read of the SUT at one time.
type reading struct {
	values  metrics.Snapshot
	heap    sites.Table
	profile []byte // of the heap; nil: the SUT has none
}

// read reads everything once after a cycle, as soon as the SUT has settled.
func (r *reader) read(ctx context.Context, w *engine.World, c *course) error {
	now, err := r.settled(ctx, w)
	if err != nil {
		return err
	}
	r.addGauges(now.values, c)
	r.previous = r.last
	if r.last, err = census(ctx, w); err != nil {
		return err
	}
	for _, class := range counted {
		if _, ok := r.last[class]; ok {
			r.add(metrics.Gauge(leak.KernelGauge+string(class)), 1, seeCounts, c.cycle, float64(r.last.Count(class)))
		}
	}
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

// settled reads the SUT until two readings in a row agree: an agent may clean up for seconds after what it served is gone. Of these two it returns the
// one with less heap, since what the SUT works on at the moment only adds to it.
func (r *reader) settled(ctx context.Context, w *engine.World) (reading, error) {
	before, err := r.now(ctx, w)
	for until := time.Now().Add(settleFor); err == nil; {
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return before, context.Cause(ctx)
		}
		var now reading
		if now, err = r.now(ctx, w); err != nil {
			break
		}
		if agree(before.values, now.values) {
			if before.values[metrics.LiveBytes] < now.values[metrics.LiveBytes] {
				return before, nil
			}
			return now, nil
		}
		if time.Now().After(until) {
			r.trial.Restless++
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
	if !r.none {
		now.heap, now.profile, err = effects.Of(w).Inspect.Profile(ctx, sites.Heap)
		r.none = errors.Is(err, effects.ErrNoProfile)
	}
	if r.none {
		err = w.SUT.Quiesce(ctx)
	}
	if err != nil {
		return now, fmt.Errorf("ask the SUT to collect garbage: %w", err)
	}
	now.values = maps.Clone(effects.Of(w).Inspect.Sample(ctx).Values)
	if now.heap.Exact {
		total := now.heap.Total()
		now.values[metrics.LiveBytes], now.values[metrics.LiveObjects] = float64(total.Bytes), float64(total.Objects)
	}
	return now, nil
}

// agree reports whether two readings are the same but for what being read costs.
func agree(a, b metrics.Snapshot) bool {
	near := func(g metrics.Gauge, most float64) bool { return math.Abs(a[g]-b[g]) <= most }
	if _, live := a[metrics.LiveBytes]; live {
		return near(metrics.LiveBytes, 128<<10) && near(metrics.Goroutines, 3) && near(metrics.FDs, 3)
	}
	return near(metrics.HeapBytes, 256<<10) && near(metrics.Goroutines, 3) && near(metrics.FDs, 3)
}

// places takes note of where the heap is held, and the goroutines.
func (r *reader) places(ctx context.Context, w *engine.World, cycle int, now reading) error {
	if r.none {
		return nil
	}
	r.profiles[sites.Heap].Add(cycle, now.heap)
	r.trial.Exact, r.trial.Profiles = now.heap.Exact, []string{earlyFile, lateFile}
	if err := keep(w, cycle, now.profile); err != nil {
		return err
	}
	table, _, err := effects.Of(w).Inspect.Profile(ctx, sites.Goroutines)
	if err == nil {
		r.profiles[sites.Goroutines].Add(cycle, table)
	}
	return err
}

// early is the cycle whose heap profile the last one is compared with: caches are full by then.
const early = 4

const (
	earlyFile = "heap-early.pb.gz"
	lateFile  = "heap-late.pb.gz"
)

// keep stores a heap profile in each cycle, so that a run that is interrupted has two as well.
func keep(w *engine.World, cycle int, profile []byte) error {
	if cycle <= early {
		if err := effects.Of(w).Inspect.Keep(earlyFile, profile); err != nil {
			return err
		}
	}
	return effects.Of(w).Inspect.Keep(lateFile, profile)
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
		t.Sites = append(r.growing(sites.Heap, "objects", t.Level()), r.growing(sites.Goroutines, "goroutines", t.Level())...)
	}
	t.Left = r.left()
	return t
}

// mostPlaces are those of each profile that the record tells.
const mostPlaces = 10

func (r *reader) growing(k sites.Kind, gauge metrics.Gauge, level float64) []leak.Place {
	var all []leak.Place
	for _, g := range r.profiles[k].Growing(level) {
		if len(all) == mostPlaces {
			break
		}
		all = append(all, leak.Place{
			Kind: string(k), Site: g.Site.String(), Bytes: g.BytesPerCycle, Stack: g.Stack, Of: len(r.profiles[k].Last().Held),
			Series: leak.Series{Gauge: gauge, Quantum: 1, Cycles: r.profiles[k].Cycles(), Values: g.Values},
		})
	}
	return all
}
