package workloads

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Index answers questions about one state: who is selected by what, and what may reach whom. It is safe for concurrent use.
//
// The state is in order by namespace already, and holds policies and labels ready for use. So all that an index has besides is the order of
// cluster-wide policies, and to make one costs nothing where there are none.
type Index struct {
	source
	localNode string
	nodes     Objects[Node]
	pods      Objects[Pod]
	admin     []*Ruleset // in order of priority and name
	baseline  []*Ruleset // likewise
}

// source is where an index looks up what decides about a connection.
type source interface {
	pod(Key) Pod                            // its zero value if it is not there
	namespace(name string) labels.Set       // the labels that the API has
	policiesIn(namespace string) []*Ruleset // NetworkPolicies in order of name
}

// NewIndex returns the index of a state.
func NewIndex(s State) *Index {
	x := &Index{source: s, localNode: s.LocalNode, nodes: s.Nodes(), pods: s.Pods()}
	for _, kind := range []Kind{AdminKind, BaselineKind, ClusterKind} {
		for _, h := range s.each(kind) {
			x.rank(h.ruleset)
		}
	}
	return x.ranked()
}

// rank adds a cluster-wide policy.
func (x *Index) rank(r *Ruleset) {
	switch r.Tier {
	case AdminTier:
		x.admin = append(x.admin, r)
	case BaselineTier:
		x.baseline = append(x.baseline, r)
	}
}

// ranked puts cluster-wide policies in order.
func (x *Index) ranked() *Index {
	slices.SortFunc(x.admin, inTurn)
	slices.SortFunc(x.baseline, inTurn)
	return x
}

func (s State) pod(k Key) Pod { return s.Pods().Get(k) }

func (s State) namespace(name string) labels.Set {
	if h, ok := s.objects.Get(NamespaceKind.Named(name)); ok {
		return h.labels
	}
	return Namespace{Name: name}.labels()
}

func (s State) policiesIn(namespace string) (all []*Ruleset) {
	for _, h := range s.within(NetworkKind, namespace) {
		all = append(all, h.ruleset)
	}
	return all
}

// Rulesets returns all policies, each tier's in the order in which they are asked.
func (s State) Rulesets() []*Ruleset {
	var all []*Ruleset
	for _, kind := range []Kind{NetworkKind, AdminKind, BaselineKind, ClusterKind} {
		for _, h := range s.each(kind) {
			all = append(all, h.ruleset)
		}
	}
	slices.SortStableFunc(all, inTurn)
	return all
}

// inTurn is the order in which policies of one tier are asked.
func inTurn(a, b *Ruleset) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Key.Compare(b.Key), cmp.Compare(a.Kind, b.Kind))
}

// nodeLabels are those that the API has of a node; the local one is not a fleet's.
func (x *Index) nodeLabels(name string) labels.Labels {
	n := x.nodes.Named(name)
	if n.Local {
		return labels.Set(n.Labels)
	}
	return marked(n.Labels)
}

// Selecting returns the policies whose subject a pod is, in the order in which they are asked: tier by tier, by priority where there
// is one, and by name.
func (x *Index) Selecting(pod Pod) []*Ruleset {
	var all []*Ruleset
	for _, tier := range [][]*Ruleset{x.admin, x.policiesIn(pod.Namespace), x.baseline} {
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
	if len(p.Networks) > 0 || p.nodes != nil {
		return nil
	}
	candidates, namespace, means := x.pods.All(), "", false
	if p.Namespaces == nil && p.Namespace != "" {
		candidates = x.pods.In(p.Namespace)
	}
	var all []Pod
	for k, pod := range candidates {
		if k.Namespace != namespace {
			namespace, means = k.Namespace, p.hasNamespace(x, k.Namespace)
		}
		if means && p.hasPodLabels(pod) {
			all = append(all, pod)
		}
	}
	return all
}

// ClusterWide returns the policies of the tiers before and after that of NetworkPolicies.
func (x *Index) ClusterWide() []*Ruleset { return slices.Concat(x.admin, x.baseline) }

// Pods returns all pods.
func (x *Index) Pods() []Pod { return x.pods.List() }
