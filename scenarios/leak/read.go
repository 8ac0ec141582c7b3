package leak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// asked is what is asked of each gauge: see leak.Question. see is per churned object; 0: whatever can be told.
var asked = []struct {
	gauge   metrics.Gauge
	quantum float64
	see     float64
}{
	{metrics.HeapBytes, 8, 1}, // times Order.See
	{metrics.HeapObjects, 1, 0}, {metrics.Goroutines, 1, 0.1}, {metrics.Threads, 1, 0}, {metrics.FDs, 1, 0.1}, {metrics.RSSBytes, 4096, 0},
}

// counted are the classes of which the numbers are judged. eBPF objects belong to the whole machine, and say nothing of the SUT.
var counted = []kernel.Class{
	kernel.Chains, kernel.Rules, kernel.Sets, kernel.Members, kernel.RouteEntries, kernel.PolicyRules, kernel.Neighbours, kernel.Links, kernel.Connections, kernel.Mounts,
	kernel.Namespaces,
}

// passing are the classes whose names come and go by themselves, so that their numbers alone are judged.
var passing = []kernel.Class{kernel.Neighbours, kernel.Connections, kernel.Descriptors, kernel.BPFMaps, kernel.BPFPrograms}

// reader keeps what was read in the cycles of an order.
type reader struct {
	trial  leak.Trial
	series map[metrics.Gauge]*leak.Series
	order  []metrics.Gauge // of the series, as they were first read

	before, previous, last kernel.Census
	profiles               map[sites.Kind]*sites.Series
	none                   bool   // the SUT shows no profiles
	early, late            []byte // heap profiles
}

func (r *reader) baseline(ctx context.Context, w *engine.World) (err error) {
	if w.Inspect == nil {
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

// read reads everything once after a cycle, as soon as the SUT has settled.
func (r *reader) read(ctx context.Context, w *engine.World, c *course) error {
	point, err := r.settled(ctx, w)
	if err != nil {
		return err
	}
	for _, q := range asked {
		if v, ok := point.Values[q.gauge]; ok {
			see := q.see * float64(c.objects)
			if q.gauge == metrics.HeapBytes {
				see *= c.order.See
			}
			r.add(q.gauge, q.quantum, see, c.cycle, v)
		}
	}
	r.previous = r.last
	if r.last, err = census(ctx, w); err != nil {
		return err
	}
	for _, class := range counted {
		if _, ok := r.last[class]; ok {
			r.add(metrics.Gauge("kernel "+string(class)), 1, 0.1*float64(c.objects), c.cycle, float64(r.last.Count(class)))
		}
	}
	if err := r.profile(ctx, w, c.cycle); err != nil {
		return err
	}
	r.trial.Cycles = c.cycle
	told := r.told()
	w.Record(report.Entry{Leak: &told})
	return nil
}

func (r *reader) add(g metrics.Gauge, quantum, see float64, cycle int, v float64) {
	s := r.series[g]
	if s == nil {
		s = &leak.Series{Gauge: g, Quantum: quantum, See: see}
		r.series[g], r.order = s, append(r.order, g)
	}
	s.Add(cycle, v)
}

// settled reads the gauges until two readings in a row agree: an agent may clean up for seconds after what it served is gone.
func (r *reader) settled(ctx context.Context, w *engine.World) (metrics.Point, error) {
	before := metrics.Point{}
	for until := time.Now().Add(settleFor); ; {
		if err := w.SUT.Quiesce(ctx); err != nil {
			return before, fmt.Errorf("ask the SUT to collect garbage: %w", err)
		}
		point := w.Inspect.Sample(ctx)
		if agree(before, point) {
			return point, nil
		}
		if time.Now().After(until) {
			r.trial.Restless++
			return point, nil
		}
		before = point
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return point, context.Cause(ctx)
		}
	}
}

// agree reports whether two readings are the same but for what a scrape itself costs.
func agree(a, b metrics.Point) bool {
	const scrape = 64 << 10 // bytes of heap
	if a.Values == nil {
		return false
	}
	for _, g := range []metrics.Gauge{metrics.Goroutines, metrics.FDs} {
		if a.Values[g] != b.Values[g] {
			return false
		}
	}
	return math.Abs(a.Values[metrics.HeapBytes]-b.Values[metrics.HeapBytes]) <= scrape
}

// profile takes both profiles. A SUT without any is read by its gauges alone.
func (r *reader) profile(ctx context.Context, w *engine.World, cycle int) error {
	if r.none {
		return nil
	}
	for _, k := range []sites.Kind{sites.Heap, sites.Goroutines} {
		table, data, err := w.Inspect.Profile(ctx, k)
		if errors.Is(err, engine.ErrNoProfile) {
			r.none = true
			return nil
		}
		if err != nil {
			return err
		}
		r.profiles[k].Add(cycle, table)
		if k == sites.Heap {
			r.trial.Exact, r.late = table.Exact, data
			if r.early == nil || cycle <= early {
				r.early = data
			}
		}
	}
	return nil
}

// early is the cycle whose heap profile the last one is compared with: caches are full by then.
const early = 4

// told is what has been read so far.
func (r *reader) told() leak.Trial {
	t := r.trial
	t.Gauges, t.Sites, t.Places = nil, nil, 0
	for _, g := range r.order {
		s := *r.series[g]
		s.Cycles, s.Values = slices.Clone(s.Cycles), slices.Clone(s.Values)
		t.Gauges = append(t.Gauges, s)
	}
	if r.trial.Exact {
		t.Places = len(r.profiles[sites.Heap].Last().Held)
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
			Kind: string(k), Site: g.Site.String(), Bytes: g.BytesPerCycle, Stack: g.Stack,
			Series: leak.Series{Gauge: gauge, Quantum: 1, Cycles: r.profiles[k].Cycles(), Values: g.Values},
		})
	}
	return all
}

// left is what the last two censuses have more or less than the first.
func (r *reader) left() []string {
	if r.previous == nil {
		return nil
	}
	both := map[string]bool{}
	for _, c := range r.previous.Since(r.before) {
		both[c.String()] = true
	}
	var all []string
	for _, c := range r.last.Since(r.before) {
		if both[c.String()] && !slices.Contains(passing, c.Class) {
			all = append(all, c.String())
		}
	}
	return all
}

// finish keeps both profiles and the record of all.
func (r *reader) finish(w *engine.World) error {
	if r.late != nil {
		r.trial.Profiles = []string{"heap-early.pb.gz", "heap-late.pb.gz"}
		for i, data := range [][]byte{r.early, r.late} {
			if err := w.Inspect.Keep(r.trial.Profiles[i], data); err != nil {
				return err
			}
		}
	}
	told := r.told()
	w.Record(report.Entry{Leak: &told})
	return nil
}

// census counts what the kernel holds; of neighbours and connections, those of addresses that pods had and no pod has.
func census(ctx context.Context, w *engine.World) (kernel.Census, error) {
	c, err := w.Inspect.Census(ctx)
	if err != nil {
		return nil, err
	}
	present := map[netip.Addr]bool{}
	for _, p := range w.Plan.Ring(w.Fleet.State()) {
		for _, ip := range p.IPs {
			present[ip] = true
		}
	}
	gone := func(word string) bool {
		addr, err := netip.ParseAddr(word)
		if ends, e := netip.ParseAddrPort(word); err != nil && e == nil {
			addr = ends.Addr()
		}
		return addr.IsValid() && inPool(addr) && !present[addr]
	}
	for _, class := range []kernel.Class{kernel.Neighbours, kernel.Connections} {
		for name := range c[class] {
			if !slices.ContainsFunc(strings.Fields(name), gone) {
				delete(c[class], name)
			}
		}
	}
	return c, nil
}

func inPool(a netip.Addr) bool { return workloads.InPool(netip.PrefixFrom(a, a.BitLen()).String()) }
