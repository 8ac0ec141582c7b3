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
	baseline   []*Ruleset
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
	for _, k := range sortedKeys(s.Policies) {
		x.policies[k.Namespace] = append(x.policies[k.Namespace], networkRuleset(s.Policies[k]))
	}
	for _, p := range slices.SortedFunc(maps.Values(s.AdminPolicies), func(a, b AdminPolicy) int {
		return cmp.Or(cmp.Compare(a.Spec.Priority, b.Spec.Priority), cmp.Compare(a.Name, b.Name))
	}) {
		x.admin = append(x.admin, adminRuleset(p))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Baseline)) {
		x.baseline = append(x.baseline, baselineRuleset(s.Baseline[name]))
	}
	return x
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

// Pods returns all pods.
func (x *Index) Pods() []Pod { return x.Selected(podsPeer("", everything, everything)) }
