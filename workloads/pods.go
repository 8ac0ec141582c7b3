package workloads

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// AddPods makes pods: API objects and, for those that are on the local node, veths, at the same time. A pod that is
// Bare, or that PlugPods has given its veth already, gets its object alone.
func (f *Fleet) AddPods(ctx context.Context, pods []Pod) error {
	var plugs []Plug
	defer f.begin("create pod", func(s State) {
		pods = slices.SortedFunc(slices.Values(pods), f.inOrder(s.LocalNode))
		for _, p := range pods {
			s.Pods[p.Key] = p
			if s.plugged(p) && !s.Ahead[p.Key] {
				f.plugged[p.Key] = true
				plugs = append(plugs, f.plugOf(p))
			}
			delete(s.Ahead, p.Key)
		}
	})()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.plug(ctx, plugs) })
	group.Go(func() error {
		return run(ctx, f, work[Pod]{verb: "create pod", items: pods, name: podName, do: f.createPod, pace: f.api})
	})
	return group.Wait()
}

// inOrder compares pods by name. Unless a pace is set, those of the local node come first: the agent then programs them together, and not
// one after the other while it takes in the rest, so that thousands are there in two thirds of the time (docs/benchmarks.md).
func (f *Fleet) inOrder(localNode string) func(a, b Pod) int {
	return func(a, b Pod) int {
		if here := a.Node == localNode; here != (b.Node == localNode) && f.cfg.Load == (Load{}) {
			if here {
				return -1
			}
			return 1
		}
		return compareKeys(a.Key, b.Key)
	}
}

// PlugPods makes the veths of pods alone: of Bare ones, whose objects are there, or ahead of AddPods.
func (f *Fleet) PlugPods(ctx context.Context, pods []Pod) error {
	var plugs []Plug
	defer f.begin("plug", func(s State) {
		for _, p := range pods {
			f.plugged[p.Key] = true
			plugs = append(plugs, f.plugOf(p))
			if there, ok := s.Pods[p.Key]; ok {
				there.Bare = false
				s.Pods[p.Key] = there
			} else {
				s.Ahead[p.Key] = true
			}
		}
	})()
	return f.plug(ctx, plugs)
}

func (f *Fleet) plugOf(p Pod) Plug {
	return Plug{Pod: p.Key, HostInterface: f.cfg.HostInterface(p.Namespace, p.Name), IPs: p.IPs}
}

func podName(p Pod) string { return p.String() }

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
	return f.batch(verb, names, func() error {
		err := f.cfg.Plugger.Plug(ctx, plugs)
		if err == nil {
			f.done.Add(int64(len(plugs)))
		}
		return err
	})
}

// RemovePods removes pods, their veths after their objects, or before them, or not at all. It does both whatever becomes of the first.
func (f *Fleet) RemovePods(ctx context.Context, pods []Key, how Removal) error {
	pods = slices.SortedFunc(slices.Values(pods), compareKeys)
	var local []Key
	defer f.begin("delete pod", func(s State) {
		for _, k := range pods {
			if f.plugged[k] {
				local = append(local, k)
			}
			if how == Lingering && f.plugged[k] && s.Pods[k].Node == s.LocalNode {
				s.Ahead[k] = true
			}
			delete(s.Pods, k)
		}
	})()
	remove := work[Key]{verb: "delete pod", items: pods, name: Key.String, do: f.deletePod, pace: f.api, goOn: true}
	if how == Forced {
		err := f.unplug(ctx, local)
		return errors.Join(err, run(ctx, f, remove))
	}
	err := run(ctx, f, remove)
	if how == Lingering {
		return err
	}
	return errors.Join(err, f.unplug(ctx, local))
}

// UnplugPods takes the veths that Lingering pods left behind.
func (f *Fleet) UnplugPods(ctx context.Context, pods []Key) error {
	return f.unplug(ctx, slices.SortedFunc(slices.Values(pods), compareKeys))
}

// unplug disconnects all at once, or one by one at the load's pace.
func (f *Fleet) unplug(ctx context.Context, pods []Key) error {
	const verb = "unplug"
	if f.cfg.Load != (Load{}) {
		one := func(ctx context.Context, k Key) error { return f.unplugged(ctx, []Key{k}) }
		return run(ctx, f, work[Key]{verb: verb, items: pods, name: Key.String, do: one, pace: f.kernel, goOn: true})
	}
	names := make([]string, 0, len(pods))
	for _, k := range pods {
		names = append(names, k.String())
	}
	return f.batch(verb, names, func() error {
		err := f.unplugged(ctx, pods)
		if err == nil {
			f.done.Add(int64(len(pods)))
		}
		return err
	})
}

// unplugged disconnects pods and forgets their veths.
func (f *Fleet) unplugged(ctx context.Context, pods []Key) error {
	if err := f.cfg.Plugger.Unplug(ctx, pods); err != nil {
		return err
	}
	defer f.begin("unplug", func(s State) {
		for _, k := range pods {
			if _, back := s.Pods[k]; !back { // else it has a new veth
				delete(f.plugged, k)
				delete(s.Ahead, k)
			}
		}
	})()
	return nil
}

// RelabelPods gives pods the labels that they have here, and no others; the rest of a Pod counts for nothing. It is an error
// if a pod is not in the model.
func (f *Fleet) RelabelPods(ctx context.Context, pods []Pod) error {
	acknowledged, err := f.changeEach("relabel pod", func(s State) (unknown []string) {
		for _, p := range pods {
			now, ok := s.Pods[p.Key]
			if !ok {
				unknown = append(unknown, p.String())
				continue
			}
			now.Labels = p.Labels
			s.Pods[p.Key] = now
		}
		return unknown
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	return run(ctx, f, work[Pod]{verb: "relabel pod", items: pods, name: podName, do: f.relabelPod, pace: f.api})
}

// ClearIPs takes their addresses from pods whose objects stay, as happens when a pod ends: status and the target's
// annotations become empty. Their veths stay. It is an error if a pod is not in the model.
func (f *Fleet) ClearIPs(ctx context.Context, pods []Key) error {
	var before []Pod
	acknowledged, err := f.changeEach("clear addresses of pod", func(s State) (unknown []string) {
		for _, k := range pods {
			p, ok := s.Pods[k]
			if !ok {
				unknown = append(unknown, k.String())
				continue
			}
			before = append(before, p)
			p.IPs = nil
			s.Pods[k] = p
		}
		return unknown
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	if c, ok := f.cfg.Plugger.(Clearer); ok {
		defer c.Clear(pods)
	}
	return run(ctx, f, work[Pod]{verb: "clear addresses of pod", items: before, name: podName, do: f.clearIPs, pace: f.api})
}
