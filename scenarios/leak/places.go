package leak

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// profile takes a profile; nil if the SUT shows none of that kind, for which it is asked once.
func (r *reader) profile(ctx context.Context, w *engine.World, k sites.Kind) (sites.Table, []byte, error) {
	if r.none[k] {
		return sites.Table{}, nil, nil
	}
	table, data, err := effects.InspectorOf(w).Profile(ctx, k)
	if errors.Is(err, effects.ErrNoProfile) {
		r.none[k] = true
		return sites.Table{}, nil, nil
	}
	return table, data, err
}

// places takes note of where the heap is held, and the goroutines, and of those that nothing can wake.
func (r *reader) places(ctx context.Context, w *engine.World, cycle int, now reading) error {
	r.trial.Exact, r.trial.Profiles = now.heap.Exact, nil
	if err := r.place(w, cycle, sites.Heap, now.heap, now.profile); err != nil {
		return err
	}
	for _, k := range []sites.Kind{sites.Goroutines, sites.Leaked} {
		table, data, err := r.profile(ctx, w, k)
		if err != nil {
			return err
		}
		if err := r.place(w, cycle, k, table, data); err != nil {
			return err
		}
		if k == sites.Leaked && data != nil {
			r.add(metrics.Leaked, 1, seeCounts, cycle, float64(table.Total().Objects))
		}
	}
	return nil
}

// early is the cycle whose profiles the last ones are compared with: caches are full by then.
const early = 4

// place keeps a profile's table, and in each cycle its file, so that a run that is interrupted has two as well.
func (r *reader) place(w *engine.World, cycle int, k sites.Kind, t sites.Table, data []byte) error {
	if data == nil {
		return nil
	}
	r.profiles[k].Add(cycle, t)
	first, last := fileOf(k, "early"), fileOf(k, "late")
	r.trial.Profiles = append(r.trial.Profiles, first, last)
	if cycle <= early {
		if err := effects.InspectorOf(w).Keep(first, data); err != nil {
			return err
		}
	}
	return effects.InspectorOf(w).Keep(last, data)
}

func fileOf(k sites.Kind, when string) string { return fmt.Sprintf("%s-%s.pb.gz", k, when) }

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
