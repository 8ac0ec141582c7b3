package workloads

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/nodefv/nodefv/workloads/snapshot"
)

// Apply makes the model and the world what to says: kinds come in their order, so that nodes and namespaces come before what is in them, and
// policies before the pods that they hold for; what goes, goes in the opposite order. What can be changed in place is; else it is
// replaced. The local node is left as it is.
func (f *Fleet) Apply(ctx context.Context, to State) error {
	all := differences(f.State(), to)
	for _, d := range slices.Backward(kinds) {
		if err := d.delete(ctx, f, all[d.Kind()].gone); err != nil {
			return err
		}
	}
	for _, d := range kinds {
		if err := d.change(ctx, f, all[d.Kind()].moved); err != nil {
			return err
		}
		if err := d.create(ctx, f, all[d.Kind()].fresh); err != nil {
			return err
		}
	}
	return nil
}

// Add makes objects of any kinds, in the order of kinds.
func (f *Fleet) Add(ctx context.Context, objects ...Object) error {
	return eachKind(objects, func(d Descriptor, some []Object) error { return d.create(ctx, f, some) })
}

// Change makes objects that exist what they are here, as far as their kinds can be changed in place. It is an error if one is not in the model.
func (f *Fleet) Change(ctx context.Context, objects ...Object) error {
	return eachKind(objects, func(d Descriptor, some []Object) error { return d.change(ctx, f, some) })
}

func eachKind(objects []Object, do func(Descriptor, []Object) error) error {
	for _, d := range kinds {
		some := slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Part().Kind != d.Kind() })
		if len(some) == 0 {
			continue
		}
		if err := do(d, some); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes objects of any kinds, in the opposite order. It goes on after an error and joins them all.
func (f *Fleet) Remove(ctx context.Context, parts ...Part) error {
	going := map[Kind][]Key{}
	for _, p := range parts {
		going[p.Kind] = append(going[p.Kind], p.Key)
	}
	return f.remove(ctx, going)
}

func (f *Fleet) remove(ctx context.Context, going map[Kind][]Key) error {
	var errs []error
	for _, d := range slices.Backward(kinds) {
		if keys := going[d.Kind()]; len(keys) > 0 {
			errs = append(errs, d.delete(ctx, f, keys))
		}
	}
	return errors.Join(errs...)
}

// difference is what must go and what must come of a kind, where it differs in what can't be changed in place, and which of the rest are to be
// changed.
type difference struct {
	gone         []Key
	fresh, moved []Object
}

func differences(now, to State) map[Kind]difference {
	all := map[Kind]difference{}
	for part, moved := range snapshot.Diff(now.objects, to.objects) {
		d, kind := all[part.Kind], Find(part.Kind)
		if kind.spared(now, part.Key) {
			continue
		}
		stays := moved.Was != nil && moved.Is != nil && kind.same(moved.Was.object, moved.Is.object)
		if moved.Was != nil && !stays {
			d.gone = append(d.gone, part.Key)
		}
		switch {
		case moved.Is == nil:
		case !stays:
			d.fresh = append(d.fresh, moved.Is.object)
		case !kind.equal(moved.Was.object, moved.Is.object):
			d.moved = append(d.moved, moved.Is.object)
		}
		all[part.Kind] = d
	}
	return all
}

// Clear removes everything but the local node: what the model holds, and what an earlier removal failed to remove. It goes
// on after an error and joins them all; it can be called again. Many pods are purged, if that can be done.
func (f *Fleet) Clear(ctx context.Context) error {
	errs := []error{f.purge(ctx)}
	s, going := f.State(), map[Kind][]Key{}
	for _, d := range kinds {
		listed, err := d.listed(ctx, f)
		errs = append(errs, err)
		all := slices.Concat(s.Names(d.Kind()), listed, d.remnants(f))
		all = slices.DeleteFunc(all, func(k Key) bool { return d.spared(s, k) })
		going[d.Kind()] = slices.Compact(sorted(all))
	}
	return errors.Join(append(errs, f.remove(ctx, going))...)
}

// purgeMin is how many pods must be there for a purge, which is several times as fast; fewer go through the API in a second.
const purgeMin = 500

// purge removes pods and namespaces past the API if there are many of them.
func (f *Fleet) purge(ctx context.Context) error {
	s := f.State()
	if f.cfg.Purge == nil || f.cfg.Load != (Load{}) || s.Pods().Len() < purgeMin {
		return nil
	}
	going, homes, names := s.Names(PodKind), s.Names(NamespaceKind), []string(nil)
	for _, k := range homes {
		names = append(names, k.Name)
	}
	defer f.begin("purge", func(s *State) {
		s.Clear(PodKind, NamespaceKind)
	})()
	purged := slices.Clone(names)
	for _, k := range going {
		purged = append(purged, k.String())
	}
	return f.batch("purge", 0, purged, func() error { return f.cfg.Purge(ctx, going, names) })
}

// veths lists the pods that may have one.
func (f *Fleet) veths() []Key {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.plugged))
}
