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
	d := x.Passes(workloads.Endpoint{Pod: flow.From.Key, Addr: flow.From.Addr}, workloads.Endpoint{Pod: to, Addr: flow.To.Addr}, flow.Protocol, flow.Port)
	if d.Allowed {
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
	for k, b := range before.Policies {
		if a, is := after.Policies[k]; near[k.Namespace] && (!is || !reflect.DeepEqual(a, b)) {
			changed++
		}
	}
	for k := range after.Policies {
		if _, was := before.Policies[k]; near[k.Namespace] && !was {
			changed++
		}
	}
	// Whom a cluster-wide policy concerns is not looked at: it is better to allow too much for a moment.
	changed += differing(before.AdminPolicies, after.AdminPolicies) + differing(before.Baseline, after.Baseline)
	return changed
}

// differing counts the keys under which two maps do not hold the same.
func differing[K comparable, V any](before, after map[K]V) int {
	count := 0
	for k, b := range before {
		if a, is := after[k]; !is || !reflect.DeepEqual(a, b) {
			count++
		}
	}
	for k := range after {
		if _, was := before[k]; !was {
			count++
		}
	}
	return count
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
