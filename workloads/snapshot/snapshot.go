// Package snapshot holds an ordered map of which a copy costs nothing and of which two versions are compared in the time of what
// differs.
//
// It owns the map alone. A version that has been copied never changes, so it can be read by any number of goroutines; one variable
// is for one goroutine to change.
package snapshot

import (
	"hash/maphash"
	"iter"
)

// Ordered is what keys must be. Keys that Compare as equal must be equal by ==.
type Ordered[K any] interface {
	comparable
	Compare(K) int
}

// Map is an ordered map. Its zero value is empty and ready for use; assignment makes a copy that changes by itself. Values are compared by
// == alone, so that pointers are best.
//
// It is a treap in which a key's priority is its hash: the same keys always make the same tree, whatever the order in which they came. So
// two versions share what they have in common, or at least agree in its shape, and Diff need not look into what is shared.
type Map[K Ordered[K], V comparable] struct{ root *node[K, V] }

// node is never changed once it can be reached from a Map.
type node[K Ordered[K], V comparable] struct {
	key         K
	value       V
	priority    uint64
	size        int
	left, right *node[K, V]
}

// seed makes priorities differ from process to process: no set of keys is bad in all of them.
var seed = maphash.MakeSeed()

// above is the order from root to leaf.
func (n *node[K, V]) above(o *node[K, V]) bool {
	if n.priority != o.priority {
		return n.priority > o.priority
	}
	return n.key.Compare(o.key) < 0
}

func (n *node[K, V]) len() int {
	if n == nil {
		return 0
	}
	return n.size
}

// over returns a copy of n with other subtrees.
func (n *node[K, V]) over(left, right *node[K, V]) *node[K, V] {
	return &node[K, V]{n.key, n.value, n.priority, left.len() + right.len() + 1, left, right}
}

// Len returns how many keys there are.
func (m Map[K, V]) Len() int { return m.root.len() }

// Get returns the value of a key, and whether there is one.
func (m Map[K, V]) Get(k K) (value V, ok bool) {
	for n := m.root; n != nil; {
		switch c := k.Compare(n.key); {
		case c == 0:
			return n.value, true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return value, false
}

// Put gives a key its value.
func (m *Map[K, V]) Put(k K, v V) {
	m.root = m.root.put(&node[K, V]{key: k, value: v, priority: maphash.Comparable(seed, k), size: 1})
}

func (n *node[K, V]) put(one *node[K, V]) *node[K, V] {
	if n == nil {
		return one
	}
	switch c := one.key.Compare(n.key); {
	case c == 0:
		return one.over(n.left, n.right)
	case one.above(n): // so it is nowhere below
		return one.over(n.split(one.key))
	case c < 0:
		return n.over(n.left.put(one), n.right)
	}
	return n.over(n.left, n.right.put(one))
}

// split returns what comes before a key and what comes after it; the key is in neither.
func (n *node[K, V]) split(k K) (before, after *node[K, V]) {
	if n == nil {
		return nil, nil
	}
	switch c := k.Compare(n.key); {
	case c == 0:
		return n.left, n.right
	case c < 0:
		before, after = n.left.split(k)
		return before, n.over(after, n.right)
	}
	before, after = n.right.split(k)
	return n.over(n.left, before), after
}

// Delete removes a key, if it is there.
func (m *Map[K, V]) Delete(k K) {
	if _, there := m.Get(k); there {
		m.root = m.root.without(k)
	}
}

func (n *node[K, V]) without(k K) *node[K, V] {
	switch c := k.Compare(n.key); {
	case c < 0:
		return n.over(n.left.without(k), n.right)
	case c > 0:
		return n.over(n.left, n.right.without(k))
	}
	return join(n.left, n.right)
}

// join puts together two trees of which one comes before the other.
func join[K Ordered[K], V comparable](before, after *node[K, V]) *node[K, V] {
	switch {
	case before == nil:
		return after
	case after == nil:
		return before
	case before.above(after):
		return before.over(before.left, join(before.right, after))
	}
	return after.over(join(before, after.left), after.right)
}

// All yields everything in the order of keys.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.each(yield) }
}

func (n *node[K, V]) each(yield func(K, V) bool) bool {
	return n == nil || n.left.each(yield) && yield(n.key, n.value) && n.right.each(yield)
}

// Keys returns all keys in order.
func (m Map[K, V]) Keys() []K {
	keys := make([]K, 0, m.Len())
	for k := range m.All() {
		keys = append(keys, k)
	}
	return keys
}

// From yields what is not before a key, in the order of keys.
func (m Map[K, V]) From(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.from(k, yield) }
}

func (n *node[K, V]) from(k K, yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	if n.key.Compare(k) < 0 {
		return n.right.from(k, yield)
	}
	return n.left.from(k, yield) && yield(n.key, n.value) && n.right.each(yield)
}

// Before returns how many keys come before k.
func (m Map[K, V]) Before(k K) int {
	before := 0
	for n := m.root; n != nil; {
		if n.key.Compare(k) < 0 {
			before += n.left.len() + 1
			n = n.right
		} else {
			n = n.left
		}
	}
	return before
}

// At returns the value of the key before which there are so many others; there must be one.
func (m Map[K, V]) At(before int) V {
	n := m.root
	for {
		switch here := n.left.len(); {
		case before == here:
			return n.value
		case before < here:
			n = n.left
		default:
			before, n = before-here-1, n.right
		}
	}
}

// Difference is what a key has in two versions; Was or Is is the zero value where the key is not there.
type Difference[V comparable] struct{ Was, Is V }

// Diff yields the keys that have not the same value in both versions, in their order. It takes time by how many they are, where one
// version came from the other.
func Diff[K Ordered[K], V comparable](was, is Map[K, V]) iter.Seq2[K, Difference[V]] {
	return func(yield func(K, Difference[V]) bool) { diff(was.root, is.root, yield) }
}

func diff[K Ordered[K], V comparable](was, is *node[K, V], yield func(K, Difference[V]) bool) bool {
	var before, after V
	switch {
	case was == is:
		return true
	case was == nil:
		return is.each(func(k K, v V) bool { return yield(k, Difference[V]{before, v}) })
	case is == nil:
		return was.each(func(k K, v V) bool { return yield(k, Difference[V]{v, after}) })
	case was.key == is.key:
		return diff(was.left, is.left, yield) && (was.value == is.value || yield(was.key, Difference[V]{was.value, is.value})) &&
			diff(was.right, is.right, yield)
	case was.above(is): // so it is nowhere in the other
		left, right := is.split(was.key)
		return diff(was.left, left, yield) && yield(was.key, Difference[V]{was.value, after}) && diff(was.right, right, yield)
	}
	left, right := was.split(is.key)
	return diff(left, is.left, yield) && yield(is.key, Difference[V]{before, is.value}) && diff(right, is.right, yield)
}
