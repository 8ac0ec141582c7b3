package multipath

import (
	"math"
	"testing"
)

// moved is the share of all flows that a change of routes moves, if they were begun on the first.
func moved(was, is []string) (share float64) {
	for _, hop := range was {
		f := Begun(hop, was)
		share += float64(f.Known.N()) / space * f.Moved(is)
	}
	return share
}

func TestShareThatMoves(t *testing.T) {
	four := []string{"a", "b", "c", "d"}
	for _, c := range []struct {
		name    string
		was, is []string
		want    float64
	}{
		{"the last goes", four, []string{"a", "b", "c"}, 1. / 2},
		{"the first goes", four, []string{"b", "c", "d"}, 1. / 2},
		{"one in the midst goes", four, []string{"a", "c", "d"}, 1. / 3},
		{"the last comes", []string{"a", "b", "c"}, four, 1. / 2},
		{"one in the midst comes", []string{"a", "c", "d"}, four, 1. / 3},
		{"nothing changes", four, four, 0},
		{"the order changes", four, []string{"d", "a", "b", "c"}, 1},
	} {
		if got := moved(c.was, c.is); math.Abs(got-c.want) > 1e-8 {
			t.Errorf("%s: %g of the flows move, want %g", c.name, got, c.want)
		}
	}
}

// TestWhatIsKnownOfAFlow wants one that stayed while a hop went to stay once it is back at its place.
func TestWhatIsKnownOfAFlow(t *testing.T) {
	four, three := []string{"a", "b", "c", "d"}, []string{"a", "b", "c"}
	f := Begun("b", four)
	if got := f.Moved(three); math.Abs(got-1./3) > 1e-8 {
		t.Errorf("it is moved with a chance of %g", got)
	}
	if f = f.Stayed(three); f.Moved(four) != 0 {
		t.Errorf("it is moved back with a chance of %g", f.Moved(four))
	}
	if got := Begun("b", three).Moved(four); math.Abs(got-1./2) > 1e-8 {
		t.Errorf("one that was begun meanwhile is moved with a chance of %g", got)
	}
	if got := f.Stayed([]string{"a"}).Moved(four); got != 1 {
		t.Errorf("one that can't have stayed is moved with a chance of %g", got)
	}
}

func TestHopsDivideAllHashes(t *testing.T) {
	for n := 1; n < 300; n++ {
		route := make([]int, n)
		for i := range route {
			route[i] = i
		}
		next := uint64(0)
		for i := range route {
			h := Of(i, route)
			if h.From != next || math.Abs(float64(h.N())-space/float64(n)) > 1 {
				t.Fatalf("hop %d of %d has %v", i, n, h)
			}
			next = h.To
		}
		if next != space || Of(-1, route).N() != 0 {
			t.Fatalf("%d hops: not all hashes, or those of none", n)
		}
	}
}
