package engine

import (
	"reflect"
	"slices"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

const (
	// maxWorlds bounds how many states that may be in force are told apart.
	maxWorlds = 32
	// settles is how much later a packet must have been sent than one whose verdict says what is in force for it: on a busy machine packets
	// that different processors handle may overtake each other.
	settles = 100 * time.Millisecond
)

// worlds are states of which one is in force for a packet of a flow.
type worlds struct {
	parts []workloads.Part
	all   []world
}

// world is one of them: what it allows, and the number of the change that made each of the parts what it is.
type world struct {
	reached []int
	legal   legal
}

func (h *history) worlds(f Flow, slots []slot) *worlds {
	w, parts, asked := &worlds{}, make([]any, len(slots)), map[string]legal{}
	var same [][]byte // for each slot and version, the first that is the same
	for _, s := range slots {
		w.parts = append(w.parts, s.part)
		first := make([]byte, len(s.versions))
		for i, v := range s.versions {
			first[i] = byte(slices.IndexFunc(s.versions, func(o version) bool { return reflect.DeepEqual(o.is, v.is) }))
		}
		same = append(same, first)
	}
	alike := make([]byte, len(slots))
	for n := range combinations(slots, maxWorlds) {
		reached := make([]int, len(slots))
		choose(slots, n, parts, reached)
		for i, rest := 0, n; i < len(slots); i++ {
			alike[i] = same[i][rest%len(same[i])]
			rest /= len(same[i])
		}
		allowed, known := asked[string(alike)]
		if !known {
			allowed = verdict(f, h.now, parts)
			asked[string(alike)] = allowed
		}
		w.all = append(w.all, world{reached, allowed})
	}
	return w
}

// legal is what any of them allows.
func (w *worlds) legal() (all legal) {
	for _, one := range w.all {
		all |= one.legal
	}
	return all
}

// after returns those that may follow one of some others: no part becomes again what it was by an earlier change. What was before them may
// be unknown (nil).
func (w *worlds) after(before *worlds) *worlds {
	if before == nil || w == before {
		return w
	}
	var was []int // for each part, where before has it
	for _, p := range w.parts {
		was = append(was, slices.Index(before.parts, p))
	}
	follows := func(next, one world) bool {
		for i, at := range was {
			if at >= 0 && next.reached[i] < one.reached[at] {
				return false
			}
		}
		return true
	}
	return w.that(func(next world) bool {
		return slices.ContainsFunc(before.all, func(one world) bool { return follows(next, one) })
	})
}

func (w *worlds) that(are func(world) bool) *worlds {
	some := &worlds{parts: w.parts}
	for _, one := range w.all {
		if are(one) {
			some.all = append(some.all, one)
		}
	}
	return some
}

// knowledge is what packets of a flow have said of what is in force for it. What has come into force is not taken back: once a packet has met
// what a change brings alone, no later one may meet what was before it.
type knowledge struct {
	worlds *worlds    // that were in force for the last packet; nil: not known
	met    []sighting // in order; they say nothing yet of packets that were sent too soon after them

	of, after, possible *worlds // the last answer of narrow: the worlds of a packet that may follow these
}

// sighting is a packet whose verdict says something.
type sighting struct {
	gone   time.Time
	worlds *worlds
	met    legal
}

// narrow returns what is legal for a packet.
func (k *knowledge) narrow(j judgement, t span) legal {
	if j.worlds == nil {
		*k = knowledge{}
		return j.legal
	}
	for len(k.met) > 0 && t.from.After(k.met[0].gone.Add(settles)) {
		k.learn(k.met[0])
		k.met = k.met[1:]
	}
	if k.possible == nil || k.of != j.worlds || k.after != k.worlds {
		k.of, k.after, k.possible = j.worlds, k.worlds, j.worlds.after(k.worlds)
	}
	if len(k.possible.all) == 0 { // a part is what it was long ago again, and its changes are forgotten
		*k = knowledge{}
		return j.legal
	}
	return k.possible.legal()
}

// saw notes what a packet met for which either was legal.
func (k *knowledge) saw(j judgement, t span, met legal) {
	if j.worlds != nil && j.legal == either {
		k.met = append(k.met, sighting{t.until, j.worlds, met})
	}
}

func (k *knowledge) learn(s sighting) {
	k.worlds = s.worlds.after(k.worlds).that(func(one world) bool { return one.legal&s.met != 0 })
	if len(k.worlds.all) == 0 {
		k.worlds = nil
	}
}
