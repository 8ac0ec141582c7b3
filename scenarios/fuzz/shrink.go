package fuzz

import "slices"

// Shrink makes batches of operations that fail smaller, as long as fails says that they still do, and returns the smallest found:
// first by leaving out batches, then operations, then by joining namespaces and nodes, then by making single operations simpler. What is left keeps its batches and its
// order. fails is asked of nothing that is not smaller than all that failed before, so that it ends by itself; when stop says so it
// ends at once. If stop never does, and fails always says the same, each operation that is left is needed.
func Shrink(batches [][]Op, fails func([][]Op) bool, stop func() bool) [][]Op {
	s := &shrinker{fails: fails, stop: stop, best: batches, size: size(batches)}
	minimize(s, s.best, func(kept [][]Op) [][]Op { return kept })
	for before := -1; before != s.size && !stop(); {
		before = s.size
		minimize(s, flatten(s.best), regroup)
		s.join()
		s.simplifyAll()
		s.simplifyEach()
	}
	return s.best
}

type shrinker struct {
	fails func([][]Op) bool
	stop  func() bool
	best  [][]Op
	size  int // of the best
}

// try keeps what is smaller and still fails.
func (s *shrinker) try(batches [][]Op) bool {
	if s.stop() {
		return false
	}
	n := size(batches)
	if n >= s.size || !s.fails(batches) {
		return false
	}
	s.best, s.size = batches, n
	return true
}

// minimize leaves out ever smaller parts of the items, as delta debugging does (Zeller and Hildebrandt, 2002), and single ones until
// none can be left out. What came last is likelier to matter, so the first parts go first.
func minimize[T any](s *shrinker, items []T, batches func([]T) [][]Op) {
	for part := (len(items) + 1) / 2; part > 0; {
		reduced := false
		for from := 0; from < len(items) && !s.stop(); {
			to := min(from+part, len(items))
			if rest := slices.Concat(items[:from], items[to:]); s.try(batches(rest)) {
				items, reduced = rest, true // the next part is where this one was
				continue
			}
			from = to
		}
		if s.stop() || part == 1 && !reduced {
			return
		}
		part = max(1, part/2)
	}
}

// placed is an operation with the number of its batch.
type placed struct {
	batch int
	op    Op
}

func flatten(batches [][]Op) []placed {
	var all []placed
	for i, b := range batches {
		for _, op := range b {
			all = append(all, placed{i, op})
		}
	}
	return all
}

// regroup leaves out batches that became empty.
func regroup(all []placed) [][]Op {
	var batches [][]Op
	last := -1
	for _, p := range all {
		if p.batch != last {
			batches, last = append(batches, nil), p.batch
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], p.op)
	}
	return batches
}

// join tries to put what is in two namespaces, or on two nodes, into one. Names of pods and policies are unique, so none is lost.
func (s *shrinker) join() {
	for _, place := range []struct {
		of  func(*Op) *string
		add Verb
	}{{func(op *Op) *string { return &op.Namespace }, AddNamespace}, {nodeOf, AddNode}} {
		var names []string
		for _, p := range flatten(s.best) {
			if p.op.Do == place.add {
				names = append(names, *place.of(&p.op))
			}
		}
		for i, from := range names {
			for _, to := range names[:i] {
				var all []placed
				for _, p := range flatten(s.best) {
					if at := place.of(&p.op); *at == from {
						if *at = to; itself[p.op.Do] {
							continue
						}
					}
					all = append(all, p)
				}
				if s.try(regroup(all)) {
					break
				}
			}
		}
	}
}

// itself are the operations on the namespaces and nodes that others are in.
var itself = map[Verb]bool{AddNamespace: true, RelabelNamespace: true, RemoveNamespace: true, AddNode: true, RemoveNode: true}

func nodeOf(op *Op) *string {
	if op.Do == AddNode || op.Do == RemoveNode {
		return &op.Name
	}
	return &op.Node
}

// simplifyAll tries each way to make operations simpler on all of them at once.
func (s *shrinker) simplifyAll() {
	for _, simplify := range drastic {
		all := flatten(s.best)
		for i, p := range all {
			if simpler, ok := simplify(p.op); ok {
				all[i].op = simpler
			}
		}
		s.try(regroup(all))
	}
}

// simplifyEach tries every simplification of every operation, again after each that was kept.
func (s *shrinker) simplifyEach() {
	for i := range flatten(s.best) {
		for again := true; again && !s.stop(); {
			again = false
			for _, simpler := range Simplifications(flatten(s.best)[i].op) {
				all := flatten(s.best)
				all[i].op = simpler
				if again = s.try(regroup(all)); again {
					break
				}
			}
		}
	}
}
