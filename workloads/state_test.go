package workloads

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// contents are the objects of a state, in the order of kinds.
func contents(s State) (all []Object) {
	for _, d := range Kinds() {
		for _, k := range s.Names(d.Kind()) {
			all = append(all, s.Object(d.Kind().Part(k)))
		}
	}
	return all
}

// afresh is the state that holds these objects alone.
func afresh(localNode string, objects []Object) State {
	s := State{LocalNode: localNode}
	s.Put(objects...)
	return s
}

// TestStateThatChanges leads one state to another by changes in any order. What it became is as if made anew, also for who asks its index; what it
// was before stays; and what has moved adds up to what there is.
func TestStateThatChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was, to := drawnState(t), drawnState(t)
		before, s, parts := contents(was), was, State{}.Moved(was)
		changes := append(contents(to), contents(was)...)
		for _, o := range rapid.Permutation(changes).Draw(t, "changes") {
			next := s
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				next.Remove(o.Part())
			} else {
				next.Put(o)
			}
			for part, is := range s.Moved(next) {
				if parts[part] = is; is == nil {
					delete(parts, part)
				}
			}
			s = next
		}
		fresh := afresh(s.LocalNode, contents(s))
		if !s.Equal(fresh) || !was.Equal(afresh(was.LocalNode, before)) {
			t.Fatal("a state is not what its objects make it")
		}
		if s.Equal(was) != slices.EqualFunc(contents(s), before, func(a, b Object) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatal("states are equal that hold other objects, or the other way round")
		}
		if all := (State{}).Moved(fresh); !reflect.DeepEqual(parts, all) {
			t.Fatalf("moved have %v, there are %v", parts, all)
		}
		sameAnswers(t, s, NewIndex(s), NewIndex(fresh), fresh.Assemble(slices.Collect(maps.Values(parts))))
	})
}

func sameAnswers(t *rapid.T, s State, got, want, assembled *Index) {
	for _, r := range s.Rulesets() {
		for _, p := range append(r.peers(), r.Subject) {
			if a, b := got.Selected(p), want.Selected(p); !reflect.DeepEqual(a, b) {
				t.Fatalf("a peer of %s selects %v, afresh %v", r, a, b)
			}
		}
	}
	eachFlow(s, func(from, to Endpoint, proto corev1.Protocol, port uint16) {
		a, b := got.Passes(from, to, proto, port), want.Passes(from, to, proto, port)
		if c := assembled.Leaves(from, to, proto, port) && assembled.Enters(from, to, proto, port); a != b || a.Allowed != c {
			t.Fatalf("%s to %s, %s %d: %+v, afresh %+v, of what moved %v", from, to, proto, port, a, b, c)
		}
	})
}

// TestObjects wants each way to read a kind to tell the same.
func TestObjects(t *testing.T) {
	s := NewState("here")
	a, b, other := Pod{Key: Key{"a", "one"}}, Pod{Key: Key{"a", "two"}}, Pod{Key: Key{"b", "one"}}
	s.Put(other, b, a, Namespace{Name: "a"})
	if got := s.Pods().List(); !reflect.DeepEqual(got, []Pod{a, b, other}) || s.Pods().Len() != 3 || !s.Pods().Has(b.Key) {
		t.Errorf("pods are %v", got)
	}
	if in := maps.Collect(s.Pods().In("a")); !reflect.DeepEqual(in, map[Key]Pod{a.Key: a, b.Key: b}) || s.Namespaces().Named("a").Name != "a" {
		t.Errorf("in the namespace are %v", in)
	}
	if got := s.Inside("a"); !slices.Equal(got, []Part{a.Part(), b.Part()}) {
		t.Errorf("inside are %v", got)
	}
	s.Clear(PodKind)
	if _, there := s.Pods().Lookup(a.Key); there || s.Pods().Len() != 0 || s.Nodes().Len() != 1 {
		t.Errorf("left are %v", contents(s))
	}
}
