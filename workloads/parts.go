package workloads

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Part names a part of a state that decides about connections: a pod, a namespace, or a policy of any kind.
type Part struct {
	Kind string // podPart, namespacePart, or a policy's kind
	Key  Key
}

const (
	podPart       = "Pod"
	namespacePart = "Namespace"
)

// PodPart names a pod.
func PodPart(k Key) Part { return Part{podPart, k} }

// NamespacePart names a namespace.
func NamespacePart(name string) Part { return Part{namespacePart, Key{Name: name}} }

// Moved returns the parts that are not the same in another state, and what they are there: a Pod, a Namespace or a *Ruleset; nil if they
// are gone. Rulesets must not be changed.
func (s State) Moved(to State) map[Part]any {
	all := map[Part]any{}
	moved(all, s.Pods, to.Pods, PodPart, func(p Pod) any { return p })
	moved(all, s.Namespaces, to.Namespaces, NamespacePart, func(n Namespace) any { return n })
	policy := func(k Kind) func(string) Part {
		return func(name string) Part { return Part{string(k), Key{Name: name}} }
	}
	moved(all, s.Policies, to.Policies, func(k Key) Part { return Part{string(NetworkKind), k} }, func(p Policy) any { return networkRuleset(p) })
	moved(all, s.AdminPolicies, to.AdminPolicies, policy(AdminKind), func(p AdminPolicy) any { return adminRuleset(p) })
	moved(all, s.Baseline, to.Baseline, policy(BaselineKind), func(p BaselinePolicy) any { return baselineRuleset(p) })
	moved(all, s.ClusterPolicies, to.ClusterPolicies, policy(ClusterKind), func(p ClusterPolicy) any { return clusterRuleset(p) })
	return all
}

// moved is Moved of one kind.
func moved[K comparable, V any](all map[Part]any, from, to map[K]V, part func(K) Part, value func(V) any) {
	for k := range from {
		if _, stays := to[k]; !stays {
			all[part(k)] = nil
		}
	}
	for k, is := range to {
		if was, ok := from[k]; !ok || !reflect.DeepEqual(was, is) {
			all[part(k)] = value(is)
		}
	}
}

// Assemble returns the index of a state that holds these parts and nothing else besides the nodes of s.
func (s State) Assemble(parts []any) *Index {
	x := &Index{
		state:      State{LocalNode: s.LocalNode, Nodes: s.Nodes, Pods: map[Key]Pod{}},
		namespaces: map[string]labels.Set{}, pods: map[string][]Pod{}, policies: map[string][]*Ruleset{},
	}
	for _, part := range parts {
		switch p := part.(type) {
		case Pod:
			x.state.Pods[p.Key] = p
			x.pods[p.Namespace] = append(x.pods[p.Namespace], p)
			if x.namespaces[p.Namespace] == nil {
				x.namespaces[p.Namespace] = Namespace{Name: p.Namespace}.labels()
			}
		case Namespace:
			x.namespaces[p.Name] = p.labels()
		case *Ruleset:
			switch p.Tier {
			case AdminTier:
				x.admin = append(x.admin, p)
			case BaselineTier:
				x.baseline = append(x.baseline, p)
			default:
				x.policies[p.Key.Namespace] = append(x.policies[p.Key.Namespace], p)
			}
		}
	}
	for _, tier := range [][]*Ruleset{x.admin, x.baseline} { // the order of those of namespaces makes no difference
		slices.SortFunc(tier, inTurn)
	}
	return x
}

// Selects reports whether the policy's subject is the pod, if its namespace has those labels.
func (r *Ruleset) Selects(pod Pod, namespace Namespace) bool {
	namespace.Name = pod.Namespace
	return r.Subject.hasPodLabels(pod) && r.Subject.hasLabels(pod.Namespace, namespace.labels())
}

// InNamespace reports whether the policy may be for pods of the namespace, and for each of its peers whether they may be among them: what the
// namespace has to say of it, whatever the pods' labels.
func (r *Ruleset) InNamespace(n Namespace) (subject bool, peers []bool) {
	of := n.labels()
	for _, p := range r.peers() {
		peers = append(peers, p.hasLabels(n.Name, of))
	}
	return r.Subject.hasLabels(n.Name, of), peers
}

// Leaves says whether the policies of a local source let a connection leave it, as Passes does of both sides.
func (x *Index) Leaves(from, to Endpoint, proto corev1.Protocol, port uint16) bool {
	return x.side(from, to, proto, port, networkingv1.PolicyTypeEgress)
}

// Enters says whether the policies of a local target let a connection in, as Passes does of both sides.
func (x *Index) Enters(from, to Endpoint, proto corev1.Protocol, port uint16) bool {
	return x.side(from, to, proto, port, networkingv1.PolicyTypeIngress)
}

func (x *Index) side(from, to Endpoint, proto corev1.Protocol, port uint16, kind networkingv1.PolicyType) bool {
	source, target, obstacle := x.ends(from, to)
	if obstacle != "" {
		return false
	}
	if source.isPod && from.Pod == to.Pod {
		return true
	}
	self, peer := source, target
	if kind == networkingv1.PolicyTypeIngress {
		self, peer = target, source
	}
	return x.direction(self, peer, service{proto, port, target.pod.Ports}, kind, x.local).Allowed
}

func (x *Index) local(p Pod) bool { return p.Node == x.state.LocalNode }
