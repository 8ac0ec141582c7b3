package workloads

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
)

// Plug is what the kernel must hold for a pod with a veth.
type Plug struct {
	Pod           Key
	HostInterface string // name of the host end of its veth
	IPs           []netip.Addr
}

// Plugger connects local pods to the node: one network namespace and one veth each. Implementations are safe for
// concurrent use. Plug undoes what it made for a pod that fails; Unplug of an unknown pod is no error.
type Plugger interface {
	Plug(ctx context.Context, pods []Plug) error
	Unplug(ctx context.Context, pods []Key) error
}

// Readdresser is a Plugger that wants to know of pods whose veths stay, though their addresses are these from now on and others may
// be other pods'.
type Readdresser interface {
	Readdress(pods []Plug) error
}

// AddPods makes pods: API objects and, for those that are on the local node, veths, at the same time. A pod that is
// Bare, or that PlugPods has given its veth already, gets its object alone.
func (f *Fleet) AddPods(ctx context.Context, all []Pod) error {
	var plugs []Plug
	all = slices.SortedFunc(slices.Values(all), f.inOrder)
	defer f.begin("create pod", func(s *State) {
		put(s, all)
		for _, p := range all {
			if _, ahead := s.Ahead.Get(p.Key); s.plugged(p) && !ahead {
				f.plugged[p.Key] = true
				plugs = append(plugs, f.plugOf(p))
			}
			s.Ahead.Delete(p.Key)
		}
	})()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.plug(ctx, plugs) })
	group.Go(func() error { return pods.writeNew(ctx, f, all) })
	return group.Wait()
}

// inOrder compares pods by name. Unless a pace is set, those of the local node come first: the agent then programs them together, and not
// one after the other while it takes in the rest, so that thousands are there in two thirds of the time (docs/benchmarks.md).
func (f *Fleet) inOrder(a, b Pod) int {
	if here := a.Node == f.local; here != (b.Node == f.local) && f.cfg.Load == (Load{}) {
		if here {
			return -1
		}
		return 1
	}
	return a.Key.Compare(b.Key)
}

// PlugPods makes the veths of pods alone: of Bare ones, whose objects are there, or ahead of AddPods.
func (f *Fleet) PlugPods(ctx context.Context, all []Pod) error {
	var plugs []Plug
	defer f.begin("plug", func(s *State) {
		for _, p := range all {
			f.plugged[p.Key] = true
			plugs = append(plugs, f.plugOf(p))
			if there, ok := s.Pods().Lookup(p.Key); ok {
				there.Bare = false
				s.Put(there)
			} else {
				s.Ahead.Put(p.Key, true)
			}
		}
	})()
	return f.plug(ctx, plugs)
}

func (f *Fleet) plugOf(p Pod) Plug {
	return Plug{Pod: p.Key, HostInterface: f.cfg.HostInterface(p.Namespace, p.Name), IPs: p.IPs}
}

// plug connects all at once, or one by one at the load's pace: a burst of veths is a fault of its own.
func (f *Fleet) plug(ctx context.Context, plugs []Plug) error {
	const verb = "plug"
	name := func(p Plug) string { return p.Pod.String() }
	if f.cfg.Load != (Load{}) {
		one := func(ctx context.Context, p Plug) error { return f.cfg.Plugger.Plug(ctx, []Plug{p}) }
		return run(ctx, f, work[Plug]{verb: verb, items: plugs, name: name, do: one, pace: f.kernel})
	}
	names := make([]string, 0, len(plugs))
	for _, p := range plugs {
		names = append(names, name(p))
	}
	return f.batch(verb, 0, names, func() error {
		err := f.cfg.Plugger.Plug(ctx, plugs)
		if err == nil {
			f.done.Add(int64(len(plugs)))
		}
		return err
	})
}

// RemovePods removes pods, their veths after their objects, or before them, or not at all. It does both whatever becomes of the first.
func (f *Fleet) RemovePods(ctx context.Context, keys []Key, how Removal) error {
	keys = sorted(keys)
	var local []Key
	defer f.begin("delete pod", func(s *State) {
		for _, k := range keys {
			if f.plugged[k] {
				local = append(local, k)
				if how == Lingering && s.Pods().Get(k).Node == s.LocalNode {
					s.Ahead.Put(k, true)
				}
			}
		}
		s.Remove(pods.parts(keys)...)
	})()
	switch how {
	case Forced:
		err := f.unplug(ctx, local)
		return errors.Join(err, pods.writeGone(ctx, f, keys))
	case Lingering:
		return pods.writeGone(ctx, f, keys)
	}
	err := pods.writeGone(ctx, f, keys)
	return errors.Join(err, f.unplug(ctx, local))
}

// UnplugPods takes the veths that Lingering pods left behind.
func (f *Fleet) UnplugPods(ctx context.Context, keys []Key) error {
	return f.unplug(ctx, sorted(keys))
}

// unplug disconnects all at once, or one by one at the load's pace.
func (f *Fleet) unplug(ctx context.Context, keys []Key) error {
	const verb = "unplug"
	if f.cfg.Load != (Load{}) {
		one := func(ctx context.Context, k Key) error { return f.unplugged(ctx, []Key{k}) }
		return run(ctx, f, work[Key]{verb: verb, items: keys, name: Key.String, do: one, pace: f.kernel, goOn: true})
	}
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.String())
	}
	return f.batch(verb, 0, names, func() error {
		err := f.unplugged(ctx, keys)
		if err == nil {
			f.done.Add(int64(len(keys)))
		}
		return err
	})
}

// unplugged disconnects pods and forgets their veths.
func (f *Fleet) unplugged(ctx context.Context, keys []Key) error {
	if err := f.cfg.Plugger.Unplug(ctx, keys); err != nil {
		return err
	}
	defer f.begin("unplug", func(s *State) {
		for _, k := range keys {
			if !s.Pods().Has(k) { // else it has a new veth
				delete(f.plugged, k)
				s.Ahead.Delete(k)
			}
		}
	})()
	return nil
}

// ClearIPs takes their addresses from pods whose objects stay: status and the target's annotations become empty. Their veths
// stay. It is an error if a pod is not in the model.
func (f *Fleet) ClearIPs(ctx context.Context, pods []Key) error {
	return f.readdress(ctx, "clear addresses of pod", keyed(pods), f.writeIPs)
}

// ReaddressPods gives pods the addresses that they have here, and no others; the rest of a Pod counts for nothing. Their veths stay as
// they were made. It is an error if a pod is not in the model.
func (f *Fleet) ReaddressPods(ctx context.Context, pods []Pod) error {
	return f.readdress(ctx, "change addresses of pod", pods, f.writeIPs)
}

// FinishPods lets pods end in a phase, PodSucceeded or PodFailed. From then on their addresses may be others', though their objects
// still tell of them, as the kubelet leaves them. Their veths stay. It is an error if a pod is not in the model.
func (f *Fleet) FinishPods(ctx context.Context, pods []Key, phase corev1.PodPhase) error {
	return f.readdress(ctx, "finish pod", keyed(pods), func(ctx context.Context, before, _ Pod) error { return f.writePhase(ctx, before, phase) })
}

func keyed(keys []Key) []Pod {
	pods := make([]Pod, 0, len(keys))
	for _, k := range keys {
		pods = append(pods, Pod{Key: k})
	}
	return pods
}

// readdress changes the pods' addresses in the model, and writes each pod, of which it is told as it was and as it is.
func (f *Fleet) readdress(ctx context.Context, verb string, all []Pod, write func(ctx context.Context, before, after Pod) error) (err error) {
	all = slices.Clone(all)
	before, plugs := map[Key]Pod{}, []Plug(nil)
	acknowledged, err := f.beginIn(verb, parts(all), func(s *State) {
		for i, p := range all {
			now := s.Pods().Get(p.Key)
			before[p.Key] = now
			now.IPs = p.IPs
			all[i] = now
			plugs = append(plugs, f.plugOf(now))
		}
		put(s, all)
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	if r, ok := f.cfg.Plugger.(Readdresser); ok {
		defer func() { err = errors.Join(err, r.Readdress(plugs)) }()
	}
	return run(ctx, f, work[Pod]{verb: verb, items: all, name: nameOf[Pod], pace: f.api, do: func(ctx context.Context, p Pod) error {
		return write(ctx, before[p.Key], p)
	}})
}
