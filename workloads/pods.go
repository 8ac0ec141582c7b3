package workloads

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
)

// AddPods makes pods: API objects and, for those that are on the local node, veths, at the same time. A pod that is
// Bare, or that PlugPods has given its veth already, gets its object alone.
func (f *Fleet) AddPods(ctx context.Context, pods []Pod) error {
	var plugs []Plug
	defer f.begin("create pod", func(s State) {
		pods = slices.SortedFunc(slices.Values(pods), f.inOrder(s.LocalNode))
		for _, p := range pods {
			s.Pods[p.Key] = p
			f.occupy(p)
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
		lost := map[netip.Addr]Key{}
		for _, k := range pods {
			s.lose(lost, s.Pods[k])
			if f.plugged[k] {
				local = append(local, k)
			}
			if how == Lingering && f.plugged[k] && s.Pods[k].Node == s.LocalNode {
				s.Ahead[k] = true
			}
			delete(s.Pods, k)
		}
		f.vacate(s, lost)
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
func (f *Fleet) readdress(ctx context.Context, verb string, pods []Pod, write func(ctx context.Context, before, after Pod) error) (err error) {
	pods = slices.Clone(pods)
	before, plugs := map[Key]Pod{}, []Plug(nil)
	acknowledged, err := f.changeEach(verb, func(s State) (unknown []string) {
		lost := map[netip.Addr]Key{}
		for i, p := range pods {
			now, ok := s.Pods[p.Key]
			if !ok {
				unknown = append(unknown, p.String())
				continue
			}
			before[p.Key] = now
			s.lose(lost, now, p.IPs...)
			now.IPs = p.IPs
			s.Pods[p.Key], pods[i] = now, now
			f.occupy(now)
			plugs = append(plugs, f.plugOf(now))
		}
		f.vacate(s, lost)
		return unknown
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	if r, ok := f.cfg.Plugger.(Readdresser); ok {
		defer func() { err = errors.Join(err, r.Readdress(plugs)) }()
	}
	return run(ctx, f, work[Pod]{verb: verb, items: pods, name: podName, pace: f.api, do: func(ctx context.Context, p Pod) error {
		return write(ctx, before[p.Key], p)
	}})
}
