package workloads

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
)

// Apply makes the model and the world what to says: nodes and namespaces come before what is in them, policies before the
// pods that they hold for; what goes, goes in the opposite order. Labels and rules are changed in place; a pod or node with
// another address or place is replaced. The local node is left as it is.
func (f *Fleet) Apply(ctx context.Context, to State) error {
	now, to := f.State(), to.Clone()
	delete(now.Nodes, now.LocalNode)
	delete(to.Nodes, now.LocalNode)
	goneNodes, newNodes, _ := difference(now.Nodes, to.Nodes, sameNode, unchanged)
	goneNamespaces, newNamespaces, movedNamespaces := difference(now.Namespaces, to.Namespaces, unchanged,
		func(a, b Namespace) bool { return maps.Equal(a.Labels, b.Labels) })
	gonePods, newPods, movedPods := difference(now.Pods, to.Pods,
		func(a, b Pod) bool {
			return a.Node == b.Node && a.Bare == b.Bare && slices.Equal(a.IPs, b.IPs) && slices.Equal(a.Ports, b.Ports)
		},
		func(a, b Pod) bool { return maps.Equal(a.Labels, b.Labels) })
	gonePolicies, newPolicies, movedPolicies := difference(now.Policies, to.Policies, unchanged,
		func(a, b Policy) bool { return equality.Semantic.DeepEqual(a.Spec, b.Spec) })
	goneAdmin, newAdmin, movedAdmin := adminPolicies.difference(now, to)
	goneBaseline, newBaseline, movedBaseline := baselines.difference(now, to)
	goneCluster, newCluster, movedCluster := clusterPolicies.difference(now, to)
	for _, step := range []func() error{
		func() error { return f.RemovePods(ctx, gonePods, Graceful) },
		func() error { return f.RemovePolicies(ctx, gonePolicies) },
		func() error { return adminPolicies.remove(ctx, f, goneAdmin) },
		func() error { return baselines.remove(ctx, f, goneBaseline) },
		func() error { return clusterPolicies.remove(ctx, f, goneCluster) },
		func() error { return f.RemoveNamespaces(ctx, goneNamespaces) },
		func() error { return f.RemoveNodes(ctx, goneNodes) },
		func() error { return f.AddNodes(ctx, newNodes) },
		func() error { return f.AddNamespaces(ctx, newNamespaces) },
		func() error { return f.RelabelNamespaces(ctx, movedNamespaces) },
		func() error { return baselines.add(ctx, f, newBaseline) },
		func() error { return baselines.change(ctx, f, movedBaseline) },
		func() error { return adminPolicies.add(ctx, f, newAdmin) },
		func() error { return adminPolicies.change(ctx, f, movedAdmin) },
		func() error { return clusterPolicies.add(ctx, f, newCluster) },
		func() error { return clusterPolicies.change(ctx, f, movedCluster) },
		func() error { return f.AddPolicies(ctx, newPolicies) },
		func() error { return f.ChangePolicies(ctx, movedPolicies) },
		func() error { return f.RelabelPods(ctx, movedPods) },
		func() error { return f.AddPods(ctx, newPods) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func sameNode(a, b Node) bool {
	return a.Local == b.Local && a.IP == b.IP && maps.Equal(a.Labels, b.Labels)
}

func unchanged[T any](T, T) bool { return true }

// difference says what must go and what must come, where both differ in what cannot be changed in place (same), and which
// of the rest are to be changed (equal).
func difference[K comparable, V any](now, to map[K]V, same, equal func(a, b V) bool) (gone []K, fresh, moved []V) {
	for k, before := range now {
		if after, ok := to[k]; !ok || !same(before, after) {
			gone = append(gone, k)
		}
	}
	for k, after := range to {
		switch before, ok := now[k]; {
		case !ok || !same(before, after):
			fresh = append(fresh, after)
		case !equal(before, after):
			moved = append(moved, after)
		}
	}
	return gone, fresh, moved
}

// Clear removes everything but the local node: what the model holds, and what an earlier removal failed to remove. It goes
// on after an error and joins them all; it can be called again. Many pods are purged, if that can be done.
func (f *Fleet) Clear(ctx context.Context) error {
	purged := f.purge(ctx)
	s := f.State()
	delete(s.Nodes, s.LocalNode)
	left, err := f.listed(ctx)
	for _, name := range left.nodes {
		if name != s.LocalNode {
			s.Nodes[name] = Node{}
		}
	}
	for _, name := range left.namespaces {
		s.Namespaces[name] = Namespace{}
	}
	for _, k := range slices.Concat(left.pods, f.veths()) {
		s.Pods[k] = Pod{}
	}
	for _, k := range left.policies {
		s.Policies[k] = Policy{}
	}
	for _, name := range left.admin {
		s.AdminPolicies[name] = AdminPolicy{}
	}
	for _, name := range left.baseline {
		s.Baseline[name] = BaselinePolicy{}
	}
	for _, name := range left.cluster {
		s.ClusterPolicies[name] = ClusterPolicy{}
	}
	return errors.Join(purged, err,
		f.RemovePods(ctx, sortedKeys(s.Pods), Graceful),
		f.RemovePolicies(ctx, sortedKeys(s.Policies)),
		f.RemoveAdminPolicies(ctx, slices.Sorted(maps.Keys(s.AdminPolicies))),
		baselines.remove(ctx, f, slices.Sorted(maps.Keys(s.Baseline))),
		f.RemoveClusterPolicies(ctx, slices.Sorted(maps.Keys(s.ClusterPolicies))),
		f.RemoveNamespaces(ctx, slices.Sorted(maps.Keys(s.Namespaces))),
		f.RemoveNodes(ctx, slices.Sorted(maps.Keys(s.Nodes))),
	)
}

// purgeMin is how many pods must be there for a purge, which is several times as fast; fewer go through the API in a second.
const purgeMin = 500

// purge removes pods and namespaces past the API if there are many of them.
func (f *Fleet) purge(ctx context.Context) error {
	s := f.State()
	if f.cfg.Purge == nil || f.cfg.Load != (Load{}) || len(s.Pods) < purgeMin {
		return nil
	}
	pods, namespaces := sortedKeys(s.Pods), slices.Sorted(maps.Keys(s.Namespaces))
	defer f.begin("purge", func(s State) {
		lost := map[netip.Addr]Key{}
		for _, p := range s.Pods {
			s.lose(lost, p)
		}
		clear(s.Pods)
		clear(s.Namespaces)
		f.vacate(s, lost)
	})()
	names := slices.Clone(namespaces)
	for _, k := range pods {
		names = append(names, k.String())
	}
	return f.batch("purge", names, func() error { return f.cfg.Purge(ctx, pods, namespaces) })
}

// veths lists the pods that may have one.
func (f *Fleet) veths() []Key {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sortedKeys(f.plugged)
}
