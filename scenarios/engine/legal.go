package engine

import (
	"reflect"
	"slices"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// legal are the verdicts that the policies in force allow for a packet; more than one while a change is under way.
type legal uint8

const (
	mayPass legal = 1 << iota
	mayDrop
)

// doubtFor is how long a comparison that agrees is no proof of a change if its objects were, before it, what they are now: an agent that lags
// behind by no more than that has seen neither of both.
const doubtFor = 3 * time.Second

// pastPods bounds the memory that changes take of which is known what they changed.
const pastPods = 50_000

// law keeps what was legal for one flow, and when. It is told of every change of the model, in their order.
type law struct {
	flow  Flow
	spans []*span
}

// span is a verdict that came into force with a change of the model.
type span struct {
	verb    string
	begun   time.Time
	acked   time.Time // zero: still being written
	held    time.Time // the change was seen to be in force; zero: it was not
	verdict legal     // once the change is in force everywhere
	between legal     // what halves of it may say besides, or it without another that is under way
}

// inForce reports whether the change must be in force at a time: it may take the deadline, once it is acknowledged, if it is not seen before.
func (s *span) inForce(t time.Time, deadline time.Duration) bool {
	return !s.acked.IsZero() && t.After(s.acked.Add(deadline)) || !s.held.IsZero() && t.After(s.held)
}

// newLaw begins with what the model says now.
func newLaw(flow Flow, s workloads.State, at time.Time) *law {
	return &law{flow: flow, spans: []*span{{begun: at, acked: at, held: at, verdict: verdictOf(flow, s, workloads.NewIndex(s))}}}
}

// change notes that the model goes from one state to the next, of which x is the index. It returns nil if that can make no difference
// to the flow, whatever else is under way.
func (l *law) change(verb string, at time.Time, before, after workloads.State, x *workloads.Index) *span {
	last, next := l.spans[len(l.spans)-1], &span{verb: verb, begun: at, verdict: verdictOf(l.flow, after, x)}
	changed := concerns(l.flow, before, after)
	if changed == 0 && next.verdict == last.verdict {
		return nil
	}
	if changed > 1 || len(l.spans) > 1 && last.held.IsZero() {
		next.between = mayPass | mayDrop
	}
	l.spans = append(l.spans, next)
	return next
}

// at returns what is legal for a packet sent then, if a change may take the deadline, once it is acknowledged, until it is in force.
func (l *law) at(t time.Time, deadline time.Duration) legal {
	base := 0 // the last span before which nothing is under way
	for base+1 < len(l.spans) && !l.spans[base+1].begun.After(t) && l.spans[base+1].inForce(t, deadline) {
		base++
	}
	allowed := l.spans[base].verdict
	if !l.spans[base].inForce(t, deadline) {
		allowed |= l.spans[base].between
	}
	for _, s := range l.spans[base+1:] {
		if s.begun.After(t) {
			break
		}
		allowed |= s.verdict
		if !s.inForce(t, deadline) {
			allowed |= s.between
		}
	}
	return allowed
}

// since returns the last change that began before t.
func (l *law) since(t time.Time) *span {
	for i := len(l.spans) - 1; i > 0; i-- {
		if !l.spans[i].begun.After(t) {
			return l.spans[i]
		}
	}
	return l.spans[0]
}

// forget drops what no packet sent from t on can meet.
func (l *law) forget(t time.Time, deadline time.Duration) {
	for len(l.spans) > 1 {
		if !l.spans[1].inForce(t, deadline) {
			return
		}
		l.spans = l.spans[1:]
	}
}

// past is a change of the model that may not be in force everywhere yet.
type past struct {
	verb          string
	begun, acked  time.Time // acked is zero while it is being written
	held          time.Time // it was seen to be in force; zero: it was not
	before, after workloads.State
	index         *workloads.Index // of after
	objects       []object         // what it changed
	spans         []*span          // what it brought to laws
}

// object reads one object out of a state; nil: it is not there.
type object func(workloads.State) any

// changed notes a change of the model.
func (v *witness) changed(verb string, before, after workloads.State) (acknowledged func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &past{verb: verb, begun: time.Now(), before: before, after: after, index: workloads.NewIndex(after), objects: changedObjects(before, after)}
	v.state, v.stale, v.recent = after, true, append(v.recent, p)
	for _, l := range v.laws {
		p.apply(l)
	}
	v.forget(p.begun)
	v.wake()
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		p.acked = time.Now()
		for _, s := range p.spans {
			s.acked = p.acked
		}
	}
}

func (p *past) apply(l *law) {
	if s := l.change(p.verb, p.begun, p.before, p.after, p.index); s != nil {
		s.acked, s.held = p.acked, p.held
		p.spans = append(p.spans, s)
	}
}

// converged notes that all that had been acknowledged at a time has been seen to be in force, as far as that can be seen.
func (v *witness) converged(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	seen := func(p *past) bool { return !p.acked.IsZero() && p.acked.Before(at) }
	compared := 0 // the first change with which the model may have become what was compared
	for i, p := range v.recent {
		if seen(p) {
			compared = i
		}
	}
	for i, p := range v.recent {
		if !p.held.IsZero() || !seen(p) || p.acked.Add(doubtFor).After(at) && p.returned(v.recent[:i+1], v.recent[compared:]) {
			continue
		}
		p.held = now
		for _, s := range p.spans {
			s.held = now
		}
	}
	v.forget(now)
}

// returned reports whether an object that the change changed was, before it or before one that led to it and is in doubt, what it is after
// one of the last.
func (p *past) returned(led, last []*past) bool {
	for _, is := range p.objects {
		for _, early := range led {
			if !early.held.IsZero() {
				continue
			}
			was := is(early.before)
			if slices.ContainsFunc(last, func(late *past) bool { return reflect.DeepEqual(was, is(late.after)) }) {
				return true
			}
		}
	}
	return false
}

// forget drops changes that are in force by now, and those that take too much memory: until these are in force, too, all is legal for streams
// that begin.
func (v *witness) forget(now time.Time) {
	over := func(p *past) bool { return !p.held.IsZero() || !p.acked.IsZero() && now.After(p.acked.Add(v.deadline)) }
	keep := 0
	for keep < len(v.recent) && over(v.recent[keep]) {
		keep++
	}
	pods := 0
	for _, p := range v.recent[keep:] {
		pods += len(p.before.Pods)
	}
	for ; keep < len(v.recent)-1 && pods > pastPods; keep++ {
		pods -= len(v.recent[keep].before.Pods)
		v.blurred = now.Add(v.deadline)
	}
	v.recent = slices.Clone(v.recent[keep:])
}

// legislate makes the law of a stream that begins.
func (v *witness) legislate(f Flow, now time.Time) *law {
	if len(v.recent) == 0 {
		return newLaw(f, v.state, now)
	}
	l := newLaw(f, v.recent[0].before, v.recent[0].begun.Add(-v.deadline-1))
	for _, p := range v.recent {
		p.apply(l)
	}
	if now.Before(v.blurred) {
		l.spans[0].acked, l.spans[0].held, l.spans[0].between = v.blurred.Add(-v.deadline), time.Time{}, mayPass|mayDrop
	}
	return l
}

// verdictOf asks the oracle. Who has the destination's address at the time is its pod; a source that is gone, or has another address by
// now, may send nothing.
func verdictOf(flow Flow, s workloads.State, x *workloads.Index) legal {
	from, ok := s.Pods[flow.From.Key]
	if !ok || from.Bare || !slices.Contains(from.IPs, flow.From.Addr) {
		return mayDrop
	}
	to, ok := tenant(s, flow)
	if !ok || s.Pods[to].Bare {
		return mayDrop
	}
	flow.To.Key = to
	if passes(x, flow) {
		return mayPass
	}
	return mayDrop
}

// tenant finds the pod that has the destination's address: most of the time the one that had it when the flow began.
func tenant(s workloads.State, flow Flow) (workloads.Key, bool) {
	if p, ok := s.Pods[flow.To.Key]; ok && slices.Contains(p.IPs, flow.To.Addr) {
		return flow.To.Key, true
	}
	for k, p := range s.Pods {
		if slices.Contains(p.IPs, flow.To.Addr) {
			return k, true
		}
	}
	return workloads.Key{}, false
}

// concerns counts the changed objects that can make a difference to the flow: only one of a change may be in force yet, or all but one.
func concerns(flow Flow, before, after workloads.State) int {
	changed, near := 0, map[string]bool{}
	for k := range ends(flow, before, after) {
		near[k.Namespace] = true
		b, was := before.Pods[k]
		a, is := after.Pods[k]
		if was != is || !reflect.DeepEqual(b, a) {
			changed++
		}
	}
	for n := range near {
		if !reflect.DeepEqual(before.Namespaces[n].Labels, after.Namespaces[n].Labels) {
			changed++
		}
	}
	changed += len(differing(before.Policies, after.Policies, func(k workloads.Key) bool { return near[k.Namespace] }))
	// Whom a cluster-wide policy concerns is not looked at: it is better to allow too much for a moment.
	changed += len(differing(before.AdminPolicies, after.AdminPolicies, anyKey)) + len(differing(before.Baseline, after.Baseline, anyKey))
	changed += len(differing(before.ClusterPolicies, after.ClusterPolicies, anyKey))
	return changed
}

func anyKey[K comparable](K) bool { return true }

// differing returns the keys that matter under which two maps do not hold the same.
func differing[K comparable, V any](before, after map[K]V, matters func(K) bool) (keys []K) {
	for k, b := range before {
		if a, is := after[k]; matters(k) && (!is || !reflect.DeepEqual(a, b)) {
			keys = append(keys, k)
		}
	}
	for k := range after {
		if _, was := before[k]; !was && matters(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// changedObjects returns what of two states is not the same, as far as policies and their peers go.
func changedObjects(before, after workloads.State) []object {
	return slices.Concat(
		objects(before, after, func(s workloads.State) map[workloads.Key]workloads.Pod { return s.Pods }),
		objects(before, after, func(s workloads.State) map[string]workloads.Namespace { return s.Namespaces }),
		objects(before, after, func(s workloads.State) map[workloads.Key]workloads.Policy { return s.Policies }),
		objects(before, after, func(s workloads.State) map[string]workloads.AdminPolicy { return s.AdminPolicies }),
		objects(before, after, func(s workloads.State) map[string]workloads.BaselinePolicy { return s.Baseline }),
		objects(before, after, func(s workloads.State) map[string]workloads.ClusterPolicy { return s.ClusterPolicies }),
	)
}

// objects is changedObjects of the maps that of reads.
func objects[K comparable, V any](before, after workloads.State, of func(workloads.State) map[K]V) (all []object) {
	for _, k := range differing(of(before), of(after), anyKey) {
		all = append(all, func(s workloads.State) any {
			if v, is := of(s)[k]; is {
				return v
			}
			return nil
		})
	}
	return all
}

// ends returns the pods at both ends, before and after.
func ends(flow Flow, states ...workloads.State) map[workloads.Key]bool {
	keys := map[workloads.Key]bool{flow.From.Key: true, flow.To.Key: true}
	for _, s := range states {
		if to, ok := tenant(s, flow); ok {
			keys[to] = true
		}
	}
	return keys
}
