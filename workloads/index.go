package workloads

import (
	"cmp"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Index answers many questions about one state quickly: who is selected by what, and what may reach whom. It is safe for
// concurrent use.
type Index struct {
	state      State
	namespaces map[string]labels.Set // with the labels that the API has besides
	pods       map[string][]Pod      // by namespace, in order of name
	policies   map[string][]*Ruleset // by namespace, in order of name
	admin      []*Ruleset            // in order of priority and name
	baseline   []*Ruleset            // likewise
}

// NewIndex reads a state once. The state must not be changed while the index is in use.
func NewIndex(s State) *Index {
	x := &Index{state: s, namespaces: map[string]labels.Set{}, pods: map[string][]Pod{}, policies: map[string][]*Ruleset{}}
	for _, k := range sortedKeys(s.Pods) {
		x.pods[k.Namespace] = append(x.pods[k.Namespace], s.Pods[k])
	}
	for namespace := range x.pods {
		x.namespaces[namespace] = Namespace{Name: namespace, Labels: s.Namespaces[namespace].Labels}.labels()
	}
	for _, r := range s.Rulesets() {
		switch r.Tier {
		case AdminTier:
			x.admin = append(x.admin, r)
		case NetworkTier:
			x.policies[r.Key.Namespace] = append(x.policies[r.Key.Namespace], r)
		case BaselineTier:
			x.baseline = append(x.baseline, r)
		}
	}
	return x
}

// Rulesets returns all policies, each tier's in the order in which they are asked.
func (s State) Rulesets() []*Ruleset {
	var all []*Ruleset
	for _, p := range s.Policies {
		all = append(all, networkRuleset(p))
	}
	for _, p := range s.AdminPolicies {
		all = append(all, adminRuleset(p))
	}
	for _, p := range s.Baseline {
		all = append(all, baselineRuleset(p))
	}
	for _, p := range s.ClusterPolicies {
		all = append(all, clusterRuleset(p))
	}
	slices.SortFunc(all, inTurn)
	return all
}

// inTurn is the order in which policies of one tier are asked.
func inTurn(a, b *Ruleset) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), compareKeys(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind))
}

// labels are those that the API has of the namespace.
func (n Namespace) labels() labels.Set {
	all := owned(n.Labels)
	all[metadataName] = n.Name
	return all
}

// nodeLabels are those that the API has of a node; the local one is not a fleet's.
func (x *Index) nodeLabels(name string) labels.Labels {
	n := x.state.Nodes[name]
	if n.Local {
		return labels.Set(n.Labels)
	}
	return marked(n.Labels)
}

// Selecting returns the policies whose subject a pod is, in the order in which they are asked: tier by tier, by priority where there
// is one, and by name.
func (x *Index) Selecting(pod Pod) []*Ruleset {
	var all []*Ruleset
	for _, tier := range [][]*Ruleset{x.admin, x.policies[pod.Namespace], x.baseline} {
		for _, p := range tier {
			if p.Subject.hasPod(x, pod) {
				all = append(all, p)
			}
		}
	}
	return all
}

// Applying returns those of Selecting that hold in one direction.
func (x *Index) Applying(pod Pod, kind networkingv1.PolicyType) []*Ruleset {
	return slices.DeleteFunc(x.Selecting(pod), func(p *Ruleset) bool { return !p.Holds(kind) })
}

// Selected returns the pods that a peer means by their labels, whether they have addresses or not; of networks and nodes none.
func (x *Index) Selected(p Peer) []Pod {
	var all []Pod
	for _, name := range slices.Sorted(maps.Keys(x.namespaces)) {
		if len(p.Networks) > 0 || p.nodes != nil || !p.hasNamespace(x, name) {
			continue
		}
		for _, pod := range x.pods[name] {
			if p.hasPod(x, pod) {
				all = append(all, pod)
			}
		}
	}
	return all
}

// ClusterWide returns the policies of the tiers before and after that of NetworkPolicies.
func (x *Index) ClusterWide() []*Ruleset { return slices.Concat(x.admin, x.baseline) }

// Pods returns all pods.
func (x *Index) Pods() []Pod { return x.Selected(podsPeer("", everything, everything)) }
