package routed

import (
	"reflect"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	// disorder is how much older a request may be than one that was judged before it.
	disorder = 10 * time.Second
	// maxCombinations bounds how many states are asked in which a part of what changes is in force: beyond it, any answer is legal.
	maxCombinations = 1 << 8
	// maxChanges bounds how many changes are remembered that are still being written, or need not be in force.
	maxChanges = 20_000
)

// change is one of the model, as far as it is about routes.
type change struct {
	number int
	verb   string
	begun  time.Time
	acked  time.Time // zero: it is being written, or the SUT is away
	after  workloads.State
	parts  []workloads.Part
	// proven is when a request was seen to be answered as only a SUT can that has put the change into force, by what is asked.
	proven map[string]time.Time
}

// history is what the model was some time ago, and how it changed since.
type history struct {
	dialect routing.Dialect
	within  time.Duration
	index   *routing.Index // of all versions of all parts
	base    workloads.State
	now     workloads.State
	changes []*change // of base, in their order
	touched map[workloads.Part][]*change
	next    int
	away    bool // the SUT is kept from running
	horizon time.Time
}

// routes are the kinds that decide about requests.
var routes = map[workloads.Kind]bool{
	workloads.IngressKind: true, workloads.HTTPProxyKind: true, workloads.GatewayKind: true, workloads.HTTPRouteKind: true, workloads.ServiceKind: true,
	workloads.EndpointSliceKind: true,
}

func newHistory(d routing.Dialect, s workloads.State, within time.Duration) *history {
	return &history{dialect: d, within: within, index: routing.NewIndex(s), base: s, now: s, touched: map[workloads.Part][]*change{}}
}

// begin notes that the model changes; nil: not in what decides about requests.
func (h *history) begin(verb string, at time.Time, to workloads.State) *change {
	c := &change{number: h.next, verb: verb, begun: at, after: to, proven: map[string]time.Time{}}
	for was, is := range h.now.Altered(to) {
		o := is
		if o == nil {
			o = was
		}
		if p := o.Part(); routes[p.Kind] {
			c.parts = append(c.parts, p)
			h.touched[p] = append(h.touched[p], c)
			h.index.Claim(is, 1)
		}
	}
	h.now = to
	if len(c.parts) == 0 {
		return nil
	}
	slices.SortFunc(c.parts, workloads.Part.Compare)
	h.next++
	h.changes = append(h.changes, c)
	return c
}

// acknowledge notes that a change is written.
func (h *history) acknowledge(c *change, at time.Time) {
	if !h.away {
		c.acked = at
	}
	h.forget(at)
}

// leave notes that the SUT is kept from running: what need not be in force by then need not be until it is back.
func (h *history) leave(at time.Time) {
	h.away = true
	for _, c := range h.changes {
		if !c.acked.IsZero() && !at.After(c.acked.Add(h.within)) {
			c.acked = time.Time{}
		}
	}
}

// back notes that it runs again. What is being written then is taken for written: it has the whole bound from then on.
func (h *history) back(at time.Time) {
	h.away = false
	for _, c := range h.changes {
		if c.acked.IsZero() {
			c.acked = at
		}
	}
}

// forget takes changes into base that no request can meet any more.
func (h *history) forget(now time.Time) {
	for len(h.changes) > 0 {
		c := h.changes[0]
		old := !c.acked.IsZero() && now.After(c.acked.Add(h.within+disorder))
		if !old && len(h.changes) <= maxChanges {
			return
		}
		if !old {
			h.horizon = now
		}
		for _, p := range c.parts {
			h.index.Claim(h.base.Object(p), -1)
			if h.touched[p] = h.touched[p][1:]; len(h.touched[p]) == 0 {
				delete(h.touched, p)
			}
		}
		h.base = c.after
		h.changes = h.changes[1:]
	}
}

// span is when a request was under way.
type span struct{ from, until time.Time }

// version is what a part was made by a change; that of no change is what it was before all that are remembered.
type version struct {
	by *change
	is workloads.Object
}

// inForce reports whether a change must be in force for a request that was begun at a time.
func (h *history) inForce(c *change, key string, at time.Time) bool {
	if seen, ok := c.proven[key]; ok && at.After(seen) {
		return true
	}
	return !c.acked.IsZero() && at.After(c.acked.Add(h.within))
}

// versions returns what a part may be for a request, in order: what it was made by the last change that must be in force, and by those after it that
// have begun.
func (h *history) versions(part workloads.Part, key string, t span) []version {
	all := []version{{nil, h.base.Object(part)}}
	for _, c := range h.touched[part] {
		if c.begun.After(t.until) {
			break
		}
		if h.inForce(c, key, t.from) {
			all = all[:0]
		}
		all = append(all, version{c, c.after.Object(part)})
	}
	return all
}

// slot is what a part of the model may be.
type slot struct {
	part     workloads.Part
	versions []version
}

// slots returns the parts that can make a difference to a request, with what each may be.
func (h *history) slots(r routing.Request, key string, t span) []slot {
	known := map[workloads.Part][]version{}
	versions := func(p workloads.Part) (objects []workloads.Object) {
		known[p] = h.versions(p, key, t)
		for _, v := range known[p] {
			if v.is != nil {
				objects = append(objects, v.is)
			}
		}
		return objects
	}
	var all []slot
	for _, p := range h.index.Near(r, versions) {
		if known[p] == nil {
			versions(p)
		}
		all = append(all, slot{p, known[p]})
	}
	return all
}

// verdict is what may answer a request.
type verdict struct {
	legal   routing.Answer
	strict  bool      // nothing that makes a difference is under way
	crowded bool      // so much is under way that anything is legal
	changes []*change // that are under way and may make a difference, in their order
	slots   []slot
}

// at returns what may answer a request: what all states allow in which each part that changes is what it was or what it becomes.
func (h *history) at(r routing.Request, key string, t span) verdict {
	v := verdict{slots: h.slots(r, key, t)}
	for _, s := range v.slots {
		for _, o := range s.versions {
			if o.by != nil && !slices.Contains(v.changes, o.by) && !h.inForce(o.by, key, t.from) {
				v.changes = append(v.changes, o.by)
			}
		}
	}
	slices.SortFunc(v.changes, func(a, b *change) int { return a.number - b.number })
	v.strict = len(v.changes) == 0
	legal, few := h.joined(r, v.slots)
	v.legal, v.crowded = legal, !few || !h.horizon.IsZero() && !t.from.After(h.horizon)
	return v
}

// joined returns what the states allow that the slots leave open; false: they are too many.
func (h *history) joined(r routing.Request, slots []slot) (a routing.Answer, few bool) {
	n := 1
	distinct := make([][]workloads.Object, len(slots))
	for i, s := range slots {
		distinct[i] = distinctOf(s.versions)
		if n *= len(distinct[i]); n > maxCombinations {
			return a, false
		}
	}
	for number := range n {
		var o routing.Objects
		for _, all := range distinct {
			if is := all[number%len(all)]; is != nil {
				o.Put(is)
			}
			number /= len(all)
		}
		a = a.Join(h.dialect.Answer(o, r))
	}
	return a, true
}

func distinctOf(all []version) (objects []workloads.Object) {
	for _, v := range all {
		if !slices.ContainsFunc(objects, func(o workloads.Object) bool { return reflect.DeepEqual(o, v.is) }) {
			objects = append(objects, v.is)
		}
	}
	return objects
}

// without returns the slots as they are for a SUT that has not seen a change. It is false if the change moved several of them: then one
// answer can't tell that all of it is in force.
func without(slots []slot, c *change) (all []slot, ok bool) {
	moved := 0
	for _, s := range slots {
		before := s.versions
		for i, v := range s.versions {
			if v.by == c {
				before, moved = s.versions[:i], moved+1
				break
			}
		}
		if len(before) == 0 {
			return nil, false
		}
		all = append(all, slot{s.part, before})
	}
	return all, moved == 1
}

// learn notes which changes an answer proves to be in force for what was asked: it could not have been given without them. A router has one
// configuration at a time, so what it has taken up it does not put down again.
func (h *history) learn(r routing.Request, key string, v verdict, o Outcome, at time.Time) {
	for _, c := range v.changes {
		if _, known := c.proven[key]; known {
			continue
		}
		old, ok := without(v.slots, c)
		if !ok {
			continue
		}
		if a, few := h.joined(r, old); few && !o.allowed(a) {
			c.proven[key] = at
		}
	}
}

// agreed notes that all that was acknowledged before a time has been seen to be in force for a request, as far as a single answer can tell: where what
// may answer without a change and with it have nothing in common.
func (h *history) agreed(r routing.Request, key string, since, now time.Time) {
	v := h.at(r, key, span{now, now})
	for _, c := range v.changes {
		if c.acked.IsZero() || !c.acked.Before(since) || c.proven[key] != (time.Time{}) {
			continue
		}
		old, ok := without(v.slots, c)
		if !ok {
			continue
		}
		before, few := h.joined(r, old)
		after, also := h.joined(r, with(v.slots, c))
		if few && also && disjoint(before, after) {
			c.proven[key] = now
		}
	}
}

// with returns the slots as they are for a SUT that has seen a change.
func with(slots []slot, c *change) (all []slot) {
	for _, s := range slots {
		after := s.versions
		for i, v := range s.versions {
			if v.by == c {
				after = s.versions[i:]
			}
		}
		all = append(all, slot{s.part, after})
	}
	return all
}

func disjoint(a, b routing.Answer) bool {
	return !slices.ContainsFunc(a.Backends, func(k workloads.Key) bool { return slices.Contains(b.Backends, k) }) &&
		!slices.ContainsFunc(a.Statuses, func(s int) bool { return slices.Contains(b.Statuses, s) })
}

const (
	// maxAround bounds what a violation keeps of changes and their parts, and of times.
	maxAround = 20
	// lately is how long a change must have been in force to be of no interest to a violation any more.
	lately = 3 * time.Second
)

// around returns the changes that had begun when a request was under way and had not been in force for long: those that concern it before others, and the
// latest before others.
func (h *history) around(v verdict, key string, t span) []*change {
	concerns := func(c *change) bool {
		return slices.ContainsFunc(v.slots, func(s slot) bool {
			_, moved := slices.BinarySearchFunc(c.parts, s.part, workloads.Part.Compare)
			return moved
		})
	}
	var near, others []*change
	for _, c := range slices.Backward(h.changes) {
		if c.begun.After(t.until) || !c.acked.IsZero() && c.acked.Add(h.within+lately).Before(t.from) {
			continue
		}
		if concerns(c) {
			near = append(near, c)
		} else {
			others = append(others, c)
		}
	}
	chosen := append(near, others...)
	chosen = chosen[:min(len(chosen), maxAround)]
	slices.SortFunc(chosen, func(a, b *change) int { return a.number - b.number })
	return chosen
}

// last returns the last change before the end of t that could make a difference to a request; nil: none is remembered.
func (h *history) last(v verdict, t span) *change {
	for _, c := range slices.Backward(h.changes) {
		for _, s := range v.slots {
			if _, moved := slices.BinarySearchFunc(c.parts, s.part, workloads.Part.Compare); moved && !c.begun.After(t.until) {
				return c
			}
		}
	}
	return nil
}

// record is the change as the record has it, for a request that some parts make a difference to.
func (c *change) record(v verdict, key string) report.ModelChange {
	r := report.ModelChange{Verb: c.verb, Parts: len(c.parts), Begun: c.begun, Acknowledged: c.acked, InForce: c.proven[key]}
	for _, s := range v.slots {
		if _, moved := slices.BinarySearchFunc(c.parts, s.part, workloads.Part.Compare); moved && len(r.Concerns) < maxAround {
			r.Concerns = append(r.Concerns, s.part.String())
		}
	}
	return r
}
