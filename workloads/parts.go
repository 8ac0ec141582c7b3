package workloads

import (
	"cmp"
	"iter"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/nodefv/nodefv/workloads/snapshot"
)

// Key names an object. Of what is in no namespace the namespace is empty.
type Key struct{ Namespace, Name string }

// String returns namespace/name, of what is in no namespace the name alone.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// Compare is the order of names: by namespace first.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(k.Namespace, o.Namespace), strings.Compare(k.Name, o.Name))
}

// Kind is a kind of objects, as the API names it.
type Kind string

// Part names an object of the kind.
func (k Kind) Part(key Key) Part { return Part{k, key} }

// Named names an object of the kind that is in no namespace.
func (k Kind) Named(name string) Part { return Part{k, Key{Name: name}} }

// Part names an object of a state, whatever its kind.
type Part struct {
	Kind Kind
	Key  Key
}

// String returns the kind and the name.
func (p Part) String() string { return string(p.Kind) + " " + p.Key.String() }

// Compare is the order of parts: by kind first.
func (p Part) Compare(o Part) int {
	return cmp.Or(strings.Compare(string(p.Kind), string(o.Kind)), p.Key.Compare(o.Key))
}

// Moved returns the parts that decide about connections and are not the same in another state, and what they are there: a Pod, a Namespace or
// a *Ruleset; nil if they are gone. Rulesets must not be changed. It takes time by how much differs, where one state came from the other.
func (s State) Moved(to State) map[Part]any {
	all := map[Part]any{}
	for part, d := range snapshot.Diff(s.objects, to.objects) {
		switch {
		case d.Is == nil:
			if d.Was.decides() != nil {
				all[part] = nil
			}
		case d.Is.decides() == nil, d.Was != nil && reflect.DeepEqual(d.Was.object, d.Is.object):
		default:
			all[part] = d.Is.decides()
		}
	}
	return all
}

// decides returns what the object has to say about connections; nil: nothing.
func (h *held) decides() any {
	if h.ruleset != nil {
		return h.ruleset
	}
	switch h.object.(type) {
	case Pod, Namespace:
		return h.object
	}
	return nil
}

// Assemble returns the index of a state that holds these parts and nothing else besides the nodes of s. It answers for connections alone.
func (s State) Assemble(parts []any) *Index {
	few := &assembly{}
	x := &Index{source: few, localNode: s.LocalNode, nodes: s.Nodes()}
	for _, part := range parts {
		switch p := part.(type) {
		case Pod:
			few.pods = append(few.pods, p)
		case Namespace:
			few.namespaces = append(few.namespaces, p.labels())
		case *Ruleset:
			if p.Tier == NetworkTier {
				few.policies = append(few.policies, p) // their order makes no difference
			} else {
				x.rank(p)
			}
		}
	}
	return x.ranked()
}

// assembly is a source of so few parts that it is quicker to look through them than to put them in order.
type assembly struct {
	pods       []Pod
	namespaces []labels.Set
	policies   []*Ruleset
}

func (a *assembly) pod(k Key) (found Pod) {
	for _, p := range a.pods {
		if p.Key == k {
			found = p
		}
	}
	return found
}

func (a *assembly) namespace(name string) labels.Set {
	for _, n := range a.namespaces {
		if n[metadataName] == name {
			return n
		}
	}
	return Namespace{Name: name}.labels()
}

func (a *assembly) policiesIn(namespace string) (all []*Ruleset) {
	for _, r := range a.policies {
		if r.Key.Namespace == namespace {
			all = append(all, r)
		}
	}
	return all
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

func (x *Index) local(p Pod) bool { return p.Node == x.localNode }

// Altered yields each object that is not the same in another state: what it is here, and there; nil: it is not there. It takes time by how much
// differs, where one state came from the other.
func (s State) Altered(to State) iter.Seq2[Object, Object] {
	return func(yield func(was, is Object) bool) {
		for _, d := range snapshot.Diff(s.objects, to.objects) {
			var was, is Object
			if d.Was != nil {
				was = d.Was.object
			}
			if d.Is != nil {
				is = d.Is.object
			}
			if !yield(was, is) {
				return
			}
		}
	}
}
