// Package multipath predicts what becomes of flows when the next hops of a route change, from how the kernel chooses
// among them: pure functions that know no route.
//
// A multipath route divides the hashes of flows, 31 bits, among its next hops in their order (hash-threshold, RFC 2992;
// fib_rebalance and fib_select_multipath in the kernel). A hop that goes lets all borders between the others shift, so
// that flows of hops that stay are moved as well. Hops here have equal weights.
package multipath

import "slices"

// space is how many hashes there are.
const space = 1 << 31

// Hashes are those from one to another, which is not among them.
type Hashes struct{ From, To uint64 }

// All are all hashes: those that a flow may have of which nothing is known.
var All = Hashes{0, space}

// And are the hashes that are in both.
func (h Hashes) And(o Hashes) Hashes {
	both := Hashes{max(h.From, o.From), min(h.To, o.To)}
	both.To = max(both.From, both.To)
	return both
}

// N is how many there are.
func (h Hashes) N() uint64 { return h.To - h.From }

// Of returns the hashes whose flows a route leads to a hop; none if it is not one of the route's.
func Of[T comparable](hop T, route []T) Hashes {
	i, n := uint64(slices.Index(route, hop)), uint64(len(route))
	if !slices.Contains(route, hop) {
		return Hashes{}
	}
	border := func(i uint64) uint64 { return (i*space + n/2) / n } // rounded, as the kernel does
	return Hashes{border(i), border(i + 1)}
}

// Flow is what is known of one that lives.
type Flow[T comparable] struct {
	Hop   T      // which it is led to
	Known Hashes // among which its hash is
}

// Begun is a flow that a route leads to a hop, of which nothing else is known.
func Begun[T comparable](hop T, route []T) Flow[T] { return Flow[T]{hop, Of(hop, route)} }

// Moved is the chance that the flow is led to another hop by a route, by all that is known of it.
func (f Flow[T]) Moved(route []T) float64 {
	if f.Known.N() == 0 {
		return 1
	}
	return 1 - float64(f.Known.And(Of(f.Hop, route)).N())/float64(f.Known.N())
}

// Stayed is what is known of the flow once a route has not moved it.
func (f Flow[T]) Stayed(route []T) Flow[T] { return Flow[T]{f.Hop, f.Known.And(Of(f.Hop, route))} }
