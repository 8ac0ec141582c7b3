package effects

import (
	"reflect"
	"slices"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// doubtFor is how long a comparison that agrees is no proof of a change if its parts were, before it, what they are now: an agent that lags
// behind by no more than that has seen neither of both.
const doubtFor = 3 * time.Second

// maxMoved bounds the memory that changes take, in parts that they moved.
const maxMoved = 100_000

// change is one of the model.
type change struct {
	number int
	verb   string
	begun  time.Time
	acked  time.Time              // the agent can see it from then on; zero: it is still being written, or the agent is away
	held   time.Time              // it was seen to be in force; zero: it was not
	moved  map[workloads.Part]any // what it made of the model's parts
}

// moves reports whether the change moved one of the parts.
func (c *change) moves(parts []workloads.Part) bool {
	return slices.ContainsFunc(parts, func(p workloads.Part) bool { _, moved := c.moved[p]; return moved })
}

// inForce reports whether the change must be in force at a time: it may take the deadline, once it is acknowledged, if it is not seen before.
func (c *change) inForce(t time.Time, deadline time.Duration) bool {
	at, ok := c.binds(deadline)
	return ok && t.After(at)
}

// binds returns after when the change must be in force; false: that can't be said yet.
func (c *change) binds(deadline time.Duration) (at time.Time, ok bool) {
	if c.acked.IsZero() {
		return at, false
	}
	at = c.acked.Add(deadline)
	if !c.held.IsZero() && c.held.Before(at) {
		at = c.held
	}
	return at, true
}

// history is what the model was some time ago, and how it changed since.
type history struct {
	deadline time.Duration   // how long a change may take, once it is acknowledged, until it is in force
	now      workloads.State // the model
	base     map[workloads.Part]any
	changes  []*change // of base, in their order
	touched  map[workloads.Part][]*change
	policies map[string][]*change // that moved policies of a namespace; of "": cluster-wide ones
	moved    int                  // parts, by all of changes
	horizon  time.Time            // what was in force until then is not known any more
	away     bool                 // the agent is kept from running
	unseen   []*change            // by the agent that is away: they are written, and need not have been in force when it went
	next     int                  // number of the next change
	revision int                  // of all that decides what is legal
	// near are the parts that have an address, and the policies of a namespace (of "": cluster-wide ones), in base or after a change, with
	// how many of those say so.
	near map[any]map[workloads.Part]int
}

func newHistory(s workloads.State, deadline time.Duration) *history {
	h := &history{
		deadline: deadline, now: s, base: workloads.State{}.Moved(s), touched: map[workloads.Part][]*change{}, policies: map[string][]*change{}, near: map[any]map[workloads.Part]int{},
	}
	for part, is := range h.base {
		h.claim(part, is, 1)
	}
	return h
}

// claim counts where a part is near.
func (h *history) claim(part workloads.Part, is any, by int) {
	switch is := is.(type) {
	case workloads.Pod:
		for _, addr := range is.IPs {
			h.claimAt(addr, part, by)
		}
	case *workloads.Ruleset:
		h.claimAt(is.Key.Namespace, part, by)
	}
}

func (h *history) claimAt(place any, part workloads.Part, by int) {
	if h.near[place] == nil {
		h.near[place] = map[workloads.Part]int{}
	}
	h.near[place][part] += by
	if h.near[place][part] > 0 {
		return
	}
	delete(h.near[place], part)
	if len(h.near[place]) == 0 {
		delete(h.near, place)
	}
}

// begin notes that the model changes; nil: nothing that decides about packets does.
func (h *history) begin(verb string, at time.Time, to workloads.State) *change {
	c := &change{number: h.next, verb: verb, begun: at, moved: h.now.Moved(to)}
	h.now = to
	if len(c.moved) == 0 {
		return nil
	}
	for part, is := range c.moved {
		h.claim(part, is, 1)
		h.touched[part] = append(h.touched[part], c)
	}
	for namespace := range c.policies() {
		h.policies[namespace] = append(h.policies[namespace], c)
	}
	h.changes = append(h.changes, c)
	h.moved += len(c.moved)
	h.next++
	h.revision++
	h.forget(at)
	return c
}

// acknowledge notes that the API has a change. An agent that is away can see it once it is back.
func (h *history) acknowledge(c *change, at time.Time) {
	if h.away {
		h.unseen = append(h.unseen, c)
		return
	}
	c.acked = at
	h.revision++
}

// leave notes that the agent is kept from running: what need not be in force by then need not be until it is back.
func (h *history) leave(at time.Time) {
	h.away = true
	for _, c := range h.changes {
		if !c.acked.IsZero() && !c.inForce(at, h.deadline) {
			c.acked = time.Time{}
			h.unseen = append(h.unseen, c)
		}
	}
	h.revision++
}

// back notes that the agent runs again. What waited for it has the whole deadline from then on.
func (h *history) back(at time.Time) {
	h.away = false
	for _, c := range h.unseen {
		c.acked = at
	}
	h.unseen = nil
	h.revision++
}

// converged notes that all that had been acknowledged at a time has been seen to be in force by now, as far as that can be seen.
func (h *history) converged(at, now time.Time) {
	acknowledged := func(c *change) bool { return !c.acked.IsZero() && c.acked.Before(at) }
	compared := 0 // what was compared is the model after this change, or after a later one
	for _, c := range h.changes {
		if acknowledged(c) {
			compared = c.number
		}
	}
	var hold []*change
	for _, c := range h.changes {
		if c.held.IsZero() && acknowledged(c) && !(c.acked.Add(doubtFor).After(at) && h.returned(c, compared, at)) {
			hold = append(hold, c)
		}
	}
	for _, c := range hold {
		c.held = now
	}
	h.revision++
	h.forget(now)
}

// returned reports whether agreement may be accidental: a part that the change moved is again, after the change of the number compared or after a
// later one, what it was before c or before an earlier change that need not be in force yet. An agent that has seen neither agrees as well.
func (h *history) returned(c *change, compared int, at time.Time) bool {
	for part := range c.moved {
		var was []any
		is, noted := h.base[part], false
		for _, o := range h.changes {
			if !noted && o.number <= c.number && !o.inForce(at, h.deadline) {
				was, noted = append(was, is), true
			}
			if to, ok := o.moved[part]; ok {
				is, noted = to, false
			}
			if o.number >= compared && slices.ContainsFunc(was, func(early any) bool { return reflect.DeepEqual(early, is) }) {
				return true
			}
		}
	}
	return false
}

// forget takes changes into base that no packet can meet any more whose fate is still to be told, and those that take too much memory: until
// these must be in force, all is legal. A change that is still being written stays, with all that came after it.
func (h *history) forget(now time.Time) {
	for len(h.changes) > 0 {
		at, ok := h.changes[0].binds(h.deadline)
		if !ok || h.moved <= maxMoved && !now.After(at.Add(disorder)) {
			return
		}
		if at.After(h.horizon) {
			h.horizon = at
		}
		for part, is := range h.changes[0].moved {
			h.claim(part, h.base[part], -1)
			h.base[part] = is
			if is == nil {
				delete(h.base, part)
			}
			dropFirst(h.touched, part)
		}
		for namespace := range h.changes[0].policies() {
			dropFirst(h.policies, namespace)
		}
		h.moved -= len(h.changes[0].moved)
		h.changes = h.changes[1:]
		h.revision++
	}
}

func dropFirst[K comparable](all map[K][]*change, k K) {
	if all[k] = all[k][1:]; len(all[k]) == 0 {
		delete(all, k)
	}
}

// policies returns the namespaces of which the change moved policies; "" for cluster-wide ones.
func (c *change) policies() map[string]bool {
	all := map[string]bool{}
	for part := range c.moved {
		if part.Kind != workloads.PodKind && part.Kind != workloads.NamespaceKind {
			all[part.Key.Namespace] = true
		}
	}
	return all
}

// concerning returns the changes, in order, that moved what can make a difference to a flow: the pods that have the address of one of its
// ends, or had it, their namespaces, and the policies there.
func (h *history) concerning(f Flow) []*change {
	all := slices.Clone(h.policies[""])
	namespaces := map[string]bool{}
	for pod := range h.pods(f) {
		all = append(all, h.touched[pod]...)
		if namespace := pod.Key.Namespace; !namespaces[namespace] {
			namespaces[namespace] = true
			all = append(all, h.touched[workloads.NamespaceKind.Named(namespace)]...)
			all = append(all, h.policies[namespace]...)
		}
	}
	slices.SortFunc(all, func(a, b *change) int { return a.number - b.number })
	return slices.Compact(all)
}

// pods returns the pods that a flow is between, and those that have the address of one of its ends or had it.
func (h *history) pods(f Flow) map[workloads.Part]bool {
	pods := map[workloads.Part]bool{workloads.PodKind.Part(f.From.Key): true, workloads.PodKind.Part(f.To.Key): true}
	for _, e := range []End{f.From, f.To} {
		for part := range h.near[e.Addr] {
			pods[part] = true
		}
	}
	return pods
}

// span is when a packet was on its way.
type span struct{ from, until time.Time }

// version is what a part was made by a change.
type version struct{ is any }

// versions returns what a part may be for a packet, in order: what it was made by the last change that must be in force, and by those after it
// that have begun.
func (h *history) versions(part workloads.Part, t span) []version {
	all := []version{{h.base[part]}}
	for _, c := range h.touched[part] {
		if c.begun.After(t.until) {
			return all
		}
		if c.inForce(t.from, h.deadline) {
			all = all[:0]
		}
		all = append(all, version{c.moved[part]})
	}
	return all
}

// distinct leaves out what is again what it was.
func distinct(all []version) []version {
	var once []version
	for _, v := range all {
		if !slices.ContainsFunc(once, func(o version) bool { return reflect.DeepEqual(o.is, v.is) }) {
			once = append(once, v)
		}
	}
	return once
}
