// Package workloads holds the desired state of a cluster and makes it so.
//
// It owns the kinds of objects, the address plan, the oracle of policies and the Fleet, which applies changes to the API and to the
// kernel, model first. State and everything computed from it are pure data and pure functions; a Fleet is safe for
// concurrent use. The kernel is reached through the Plugger interface alone, so this package links no netlink.
package workloads

import (
	"iter"
	"reflect"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/nodefv/nodefv/workloads/snapshot"
)

// Topology is a shape, before names and addresses.
type Topology struct {
	RemoteNodes      int  // nodes known to the API alone
	Namespaces       int  // how many namespaces
	PodsPerNamespace int  // pods in each
	Local            int  // how many of all pods are on the local node, spread evenly; -1 means all
	DualStack        bool // give pods an IPv6 address as well
	IPv6Only         bool // give pods an IPv6 address alone
}

// Object is an object of a state, of any kind. Nothing that it refers to is changed once it is in one.
type Object interface{ Part() Part }

// State is the desired state: pure data. Assignment makes a copy that changes by itself and costs nothing. Only Put, Remove, Clear and
// what is done to Ahead change a state; what is read from it comes in the order of namespaces and names.
type State struct {
	LocalNode string
	Ahead     snapshot.Map[Key, bool] // veths on the local node that came before their pods
	objects   snapshot.Map[Part, *held]
}

// held is an object and what is computed from it once. It is never changed.
type held struct {
	object  Object
	ruleset *Ruleset   // of a policy
	labels  labels.Set // of a namespace: those that the API has
}

// NewState returns a state that holds the local node alone.
func NewState(localNode string) State {
	s := State{LocalNode: localNode}
	s.Put(Node{Name: localNode, Local: true})
	return s
}

// Put adds objects, or replaces those that are there under their names.
func (s *State) Put(objects ...Object) {
	for _, o := range objects {
		h := &held{object: o}
		switch o := o.(type) {
		case policy:
			h.ruleset = o.ruleset()
		case Namespace:
			h.labels = o.labels()
		}
		s.objects.Put(o.Part(), h)
	}
}

// Remove removes objects, those of them that are there.
func (s *State) Remove(parts ...Part) {
	for _, p := range parts {
		s.objects.Delete(p)
	}
}

// Clear removes all objects of some kinds.
func (s *State) Clear(kinds ...Kind) {
	for _, k := range kinds {
		for key := range s.each(k) {
			s.objects.Delete(k.Part(key))
		}
	}
}

// Object returns an object of any kind; nil if it is not there.
func (s State) Object(p Part) Object {
	h, ok := s.objects.Get(p)
	if !ok {
		return nil
	}
	return h.object
}

// Equal reports whether both states hold the same.
func (s State) Equal(o State) bool {
	for _, d := range snapshot.Diff(s.objects, o.objects) {
		if d.Was == nil || d.Is == nil || !reflect.DeepEqual(d.Was.object, d.Is.object) {
			return false
		}
	}
	for range snapshot.Diff(s.Ahead, o.Ahead) {
		return false
	}
	return s.LocalNode == o.LocalNode
}

// each yields what is held of a kind.
func (s State) each(k Kind) iter.Seq2[Key, *held] {
	return s.while(Part{Kind: k}, func(p Part) bool { return p.Kind == k })
}

// within yields what is held of a kind in a namespace.
func (s State) within(k Kind, namespace string) iter.Seq2[Key, *held] {
	return s.while(Part{k, Key{Namespace: namespace}}, func(p Part) bool { return p.Kind == k && p.Key.Namespace == namespace })
}

func (s State) while(from Part, is func(Part) bool) iter.Seq2[Key, *held] {
	return func(yield func(Key, *held) bool) {
		for p, h := range s.objects.From(from) {
			if !is(p) || !yield(p.Key, h) {
				return
			}
		}
	}
}

// Names returns the names of all objects of a kind.
func (s State) Names(k Kind) []Key {
	var keys []Key
	for key := range s.each(k) {
		keys = append(keys, key)
	}
	return keys
}

// Inside returns what is in a namespace, of all kinds.
func (s State) Inside(namespace string) []Part {
	var all []Part
	for _, d := range kinds {
		if d.Namespaced() {
			for k := range s.within(d.Kind(), namespace) {
				all = append(all, d.Kind().Part(k))
			}
		}
	}
	return all
}

// Objects are the objects of one kind in a state.
type Objects[T Object] struct {
	state State
	kind  Kind
}

// Get returns the object of a name; its zero value if it is not there.
func (o Objects[T]) Get(k Key) T {
	object, _ := o.Lookup(k)
	return object
}

// Named is Get of what is in no namespace.
func (o Objects[T]) Named(name string) T { return o.Get(Key{Name: name}) }

// Lookup returns the object of a name, and whether it is there.
func (o Objects[T]) Lookup(k Key) (object T, ok bool) {
	object, ok = o.state.Object(o.kind.Part(k)).(T)
	return object, ok
}

// Has reports whether there is an object of that name.
func (o Objects[T]) Has(k Key) bool { return o.state.Object(o.kind.Part(k)) != nil }

// Len returns how many there are.
func (o Objects[T]) Len() int {
	after := Part{o.kind + "\x00", Key{}} // nothing stands between a kind and this
	return o.state.objects.Before(after) - o.state.objects.Before(Part{o.kind, Key{}})
}

// All yields all of them.
func (o Objects[T]) All() iter.Seq2[Key, T] { return objects[T](o.state.each(o.kind)) }

// In yields those in a namespace.
func (o Objects[T]) In(namespace string) iter.Seq2[Key, T] {
	return objects[T](o.state.within(o.kind, namespace))
}

func objects[T Object](all iter.Seq2[Key, *held]) iter.Seq2[Key, T] {
	return func(yield func(Key, T) bool) {
		for k, h := range all {
			if !yield(k, h.object.(T)) {
				return
			}
		}
	}
}

// Keys returns the names of all.
func (o Objects[T]) Keys() []Key { return o.state.Names(o.kind) }

// List returns all of them.
func (o Objects[T]) List() []T {
	all := make([]T, 0, o.Len())
	for _, object := range o.All() {
		all = append(all, object)
	}
	return all
}
