package effects

import (
	"slices"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// legal are the verdicts that the policies in force allow for a packet; more than one while a change is under way.
type legal uint8

const (
	mayPass legal = 1 << iota
	mayDrop
	either = mayPass | mayDrop
)

// maxCombinations bounds how many states are asked in which a part of what changes is in force: beyond it, either verdict is legal.
const maxCombinations = 1 << 10

// flowVerdicts says what is legal for one flow, and when.
type flowVerdicts struct {
	flow    Flow
	history *history
	last    judgement
}

// judgement is what is legal for some packets of a flow.
type judgement struct {
	revision int // of the history; what follows was read from it then
	// It holds for a packet whose from is in (bound, binds] and whose until is in [began, begins): between them changes come into force, and begin.
	// Zero: none.
	bound, binds, began, begins time.Time

	last    int       // number of the last change that had begun, of those that concern the flow; -1: none
	pending []*change // of these, those that need not be in force
	asked   time.Time // when the packet was on its way of which this was found out
	legal   legal
	crowded bool             // either verdict, because it was too much to find out
	parts   []workloads.Part // of the model, that could make a difference
}

func (j judgement) covers(t span) bool {
	return t.from.After(j.bound) && (j.binds.IsZero() || !t.from.After(j.binds)) && !j.began.After(t.until) && (j.begins.IsZero() || j.begins.After(t.until))
}

func (h *history) verdictsOf(f Flow) *flowVerdicts {
	return &flowVerdicts{flow: f, history: h, last: judgement{revision: -1}}
}

// at returns what is legal for a packet that was on its way then: what all states allow in which each part that changes is what it was or
// what it becomes.
func (l *flowVerdicts) at(t span) judgement {
	h := l.history
	if l.last.revision == h.revision && l.last.covers(t) {
		return l.last
	}
	if !h.horizon.IsZero() && !t.from.After(h.horizon) {
		return judgement{legal: either, crowded: true}
	}
	j := h.underWay(l.flow, t)
	// What was forgotten since then may have come and gone without having been seen here.
	known := l.last.revision >= 0 && !h.horizon.After(l.last.asked)
	if known && j.last == l.last.last && slices.Equal(j.pending, l.last.pending) {
		j.legal, j.crowded, j.parts = l.last.legal, l.last.crowded, l.last.parts
	} else {
		h.ask(l.flow, t, &j)
	}
	l.last = j
	return j
}

// since returns the last change before the end of t that could make a difference to the flow; its zero value, if none is known.
func (l *flowVerdicts) since(t span) change {
	parts := l.at(t).parts
	for _, c := range slices.Backward(l.history.changes) {
		if !c.begun.After(t.until) && c.moves(parts) {
			return *c
		}
	}
	return change{}
}

// underWay returns a judgement that says which changes are under way for a packet of a flow. Others make no difference to it, and when they
// come, nothing is asked again.
func (h *history) underWay(f Flow, t span) judgement {
	j := judgement{revision: h.revision, last: -1, asked: t.from, bound: h.horizon}
	for _, c := range h.concerning(f) {
		if c.begun.After(t.until) {
			j.begins = c.begun
			break
		}
		j.began, j.last = c.begun, c.number
		at, ok := c.binds(h.deadline)
		switch {
		case ok && t.from.After(at):
			if at.After(j.bound) {
				j.bound = at
			}
			continue
		case ok && (j.binds.IsZero() || at.Before(j.binds)):
			j.binds = at
		}
		j.pending = append(j.pending, c)
	}
	return j
}

// slot is what a part of the model may be.
type slot struct {
	part     workloads.Part
	versions []version
}

// combinations returns how many there are of what the parts may be; if there are more than maxCombinations, some number above that.
func combinations(slots []slot) int {
	n := 1
	for _, s := range slots {
		if n <= maxCombinations {
			n *= len(s.versions)
		}
	}
	return n
}

// ask asks the oracle of every combination of what the parts may be that concern the flow.
func (h *history) ask(f Flow, t span, j *judgement) {
	slots := h.slots(f, t)
	for _, s := range slots {
		j.parts = append(j.parts, s.part)
	}
	for i := range slots {
		slots[i].versions = distinct(slots[i].versions)
	}
	n := combinations(slots)
	if n > maxCombinations {
		j.legal, j.crowded = either, true
		return
	}
	parts := make([]any, len(slots))
	for ; n > 0 && j.legal != either; n-- { // what comes last is what will be, and most telling
		choose(slots, n-1, parts)
		j.legal |= verdict(f, h.now, parts)
	}
}

// choose sets parts to those of the combination of a number.
func choose(slots []slot, number int, parts []any) {
	for i, s := range slots {
		parts[i] = s.versions[number%len(s.versions)].is
		number /= len(s.versions)
	}
}

// slots returns the parts that can make a difference to a flow: the pods that have the address of one of its ends, or had it, their
// namespaces, and the policies that select one of those that are local.
func (h *history) slots(f Flow, t span) []slot {
	pods := h.pods(f)
	var slots []slot
	local := []workloads.Pod{}
	namespaces := map[workloads.Part][]version{workloads.NamespaceKind.Named(""): nil} // cluster-wide policies have none
	add := func(part workloads.Part, versions []version) {
		if len(versions) > 1 || versions[0].is != nil {
			slots = append(slots, slot{part, versions})
		}
	}
	for part := range pods {
		versions := h.versions(part, t)
		add(part, versions)
		namespaces[workloads.NamespaceKind.Named(part.Key.Namespace)] = nil
		for _, v := range versions {
			if p, ok := v.is.(workloads.Pod); ok && p.Node == h.now.LocalNode {
				local = append(local, p)
			}
		}
	}
	for part := range namespaces {
		namespaces[part] = h.versions(part, t)
		add(part, namespaces[part])
	}
	selects := func(v version) bool {
		r, ok := v.is.(*workloads.Ruleset)
		return ok && slices.ContainsFunc(local, func(p workloads.Pod) bool {
			return slices.ContainsFunc(namespaces[workloads.NamespaceKind.Named(p.Namespace)], func(v version) bool {
				n, _ := v.is.(workloads.Namespace)
				return r.Selects(p, n)
			})
		})
	}
	for namespace := range namespaces {
		for part := range h.near[namespace.Key.Name] {
			if versions := h.versions(part, t); slices.ContainsFunc(versions, selects) {
				add(part, versions)
			}
		}
	}
	return slots
}
