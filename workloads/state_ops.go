package workloads

import (
	"maps"
	"net/netip"
	"slices"
)

// NewState returns a state that holds the local node alone.
func NewState(localNode string) State {
	return State{
		LocalNode: localNode, Nodes: map[string]Node{localNode: {Name: localNode, Local: true}}, Namespaces: map[string]Namespace{},
		Pods: map[Key]Pod{}, Policies: map[Key]Policy{}, AdminPolicies: map[string]AdminPolicy{}, Baseline: map[string]BaselinePolicy{},
		ClusterPolicies: map[string]ClusterPolicy{}, Ahead: map[Key]bool{},
	}
}

// Clone returns a copy whose maps can be changed without changing s. Labels, addresses and rules are shared: nobody
// changes them in place.
func (s State) Clone() State {
	s.Nodes, s.Namespaces = maps.Clone(s.Nodes), maps.Clone(s.Namespaces)
	s.Pods, s.Policies, s.Ahead = maps.Clone(s.Pods), maps.Clone(s.Policies), maps.Clone(s.Ahead)
	s.AdminPolicies, s.Baseline, s.ClusterPolicies = maps.Clone(s.AdminPolicies), maps.Clone(s.Baseline), maps.Clone(s.ClusterPolicies)
	return s
}

// LocalPods returns the pods on the local node, sorted by namespace and name.
func (s State) LocalPods() []Pod {
	return s.podsThat(func(p Pod) bool { return p.Node == s.LocalNode })
}

// RemotePods returns the pods on other nodes, sorted by namespace and name.
func (s State) RemotePods() []Pod {
	return s.podsThat(func(p Pod) bool { return p.Node != s.LocalNode })
}

func (s State) podsThat(are func(Pod) bool) []Pod {
	var pods []Pod
	for _, p := range s.Pods {
		if are(p) {
			pods = append(pods, p)
		}
	}
	slices.SortFunc(pods, func(a, b Pod) int { return compareKeys(a.Key, b.Key) })
	return pods
}

// Shared returns the addresses that several pods have at once.
func (s State) Shared() map[netip.Addr]bool {
	shared, seen := map[netip.Addr]bool{}, make(map[netip.Addr]bool, len(s.Pods))
	for _, p := range s.Pods {
		for _, ip := range p.IPs {
			if seen[ip] {
				shared[ip] = true
			}
			seen[ip] = true
		}
	}
	return shared
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[Key]V) []Key { return slices.SortedFunc(maps.Keys(m), compareKeys) }
