package fuzz

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/nodefv/nodefv/workloads"
)

// wideKey names a cluster-wide policy, its kind by the verb that adds one.
type wideKey struct {
	add  Verb
	name string
}

// wideVerbs are the verbs on each kind of cluster-wide policy, by the one that adds one.
var wideVerbs = map[Verb][]Verb{
	AddAdminPolicy:   {AddAdminPolicy, ChangeAdminPolicy, RemoveAdminPolicy},
	AddBaseline:      {AddBaseline, ChangeBaseline, RemoveBaseline},
	AddClusterPolicy: {AddClusterPolicy, ChangeClusterPolicy, RemoveClusterPolicy},
}

// wideKey is the policy that an operation on a cluster-wide policy is on.
func (o Op) wideKey() wideKey {
	for add, all := range wideVerbs {
		if slices.Contains(all, o.Do) {
			return wideKey{add, o.Name}
		}
	}
	return wideKey{}
}

func (m *Model) saidKeys() []wideKey {
	return slices.SortedFunc(maps.Keys(m.said), func(a, b wideKey) int { return cmp.Or(cmp.Compare(a.add, b.add), cmp.Compare(a.name, b.name)) })
}

// say notes a cluster-wide policy that an operation adds and that is not there, or changes and that is; else it reports that it did not.
func (m *Model) say(op Op) (said bool) {
	k := op.wideKey()
	_, there := m.said[k]
	if op.Name == "" || op.Wide == nil || there != (op.Do != k.add) {
		return false
	}
	m.said[k] = *op.Wide
	return true
}

// unsay forgets a cluster-wide policy, if it is there.
func (m *Model) unsay(op Op) (was bool) {
	_, was = m.said[op.wideKey()]
	delete(m.said, op.wideKey())
	return was
}

func (m *Model) putAdmin(op Op) act {
	if !m.say(op) {
		return nil
	}
	p := workloads.AdminPolicy{Name: op.Name, Spec: workloads.AsAdmin(*op.Wide)}
	m.AdminPolicies[p.Name] = p
	return func(ctx context.Context, a Actor) error {
		if op.Do == ChangeAdminPolicy {
			return a.Fleet.ChangeAdminPolicies(ctx, []workloads.AdminPolicy{p})
		}
		return a.Fleet.AddAdminPolicies(ctx, []workloads.AdminPolicy{p})
	}
}

func (m *Model) removeAdmin(op Op) act {
	if !m.unsay(op) {
		return nil
	}
	delete(m.AdminPolicies, op.Name)
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveAdminPolicies(ctx, []string{op.Name}) }
}

// putBaseline refuses any name but the one that the API accepts.
func (m *Model) putBaseline(op Op) act {
	if op.Name != workloads.BaselineName || !m.say(op) {
		return nil
	}
	spec := workloads.AsBaseline(*op.Wide)
	m.Baseline[op.Name] = workloads.BaselinePolicy{Name: op.Name, Spec: spec}
	return func(ctx context.Context, a Actor) error {
		if op.Do == ChangeBaseline {
			return a.Fleet.ChangeBaseline(ctx, spec)
		}
		return a.Fleet.AddBaseline(ctx, spec)
	}
}

func (m *Model) removeBaseline(op Op) act {
	if !m.unsay(op) {
		return nil
	}
	delete(m.Baseline, op.Name)
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveBaseline(ctx) }
}

func (m *Model) putCluster(op Op) act {
	if !m.say(op) {
		return nil
	}
	p := workloads.ClusterPolicy{Name: op.Name, Spec: *op.Wide}
	m.ClusterPolicies[p.Name] = p
	return func(ctx context.Context, a Actor) error {
		if op.Do == ChangeClusterPolicy {
			return a.Fleet.ChangeClusterPolicies(ctx, []workloads.ClusterPolicy{p})
		}
		return a.Fleet.AddClusterPolicies(ctx, []workloads.ClusterPolicy{p})
	}
}

func (m *Model) removeCluster(op Op) act {
	if !m.unsay(op) {
		return nil
	}
	delete(m.ClusterPolicies, op.Name)
	return func(ctx context.Context, a Actor) error {
		return a.Fleet.RemoveClusterPolicies(ctx, []string{op.Name})
	}
}
