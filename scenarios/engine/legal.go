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

// law keeps what was legal for one stream, and when. It is told of every change of the model, in their order.
type law struct {
	stream Stream
	spans  []*span
}

// span is a verdict that came into force with a change of the model.
type span struct {
	verb    string
	begun   time.Time
	acked   time.Time // zero: still being written
	verdict legal     // once the change is in force everywhere
	between legal     // what halves of the change may say besides
}

// newLaw begins with what the model says now.
func newLaw(stream Stream, s workloads.State, at time.Time) *law {
	return &law{stream: stream, spans: []*span{{begun: at, acked: at, verdict: verdictOf(stream, s)}}}
}

// change notes that the model goes from one state to the next. It returns nil if that makes no difference to the stream.
func (l *law) change(verb string, at time.Time, before, after workloads.State) *span {
	last, next := l.spans[len(l.spans)-1], &span{verb: verb, begun: at, verdict: verdictOf(l.stream, after)}
	if concerns(l.stream, before, after) > 1 {
		next.between = mayPass | mayDrop
	}
	if next.verdict == last.verdict && next.between|last.verdict == last.verdict {
		return nil
	}
	l.spans = append(l.spans, next)
	return next
}

// at returns what is legal for a packet sent then, if a change may take the deadline, once it is acknowledged, until it is in force.
func (l *law) at(t time.Time, deadline time.Duration) legal {
	var allowed legal
	for i := len(l.spans) - 1; i >= 0; i-- {
		s := l.spans[i]
		if s.begun.After(t) && i > 0 {
			continue
		}
		allowed |= s.verdict
		if !s.acked.IsZero() && t.After(s.acked.Add(deadline)) {
			break // whatever came before is over
		}
		allowed |= s.between
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
		if next := l.spans[1]; next.acked.IsZero() || !t.After(next.acked.Add(deadline)) {
			return
		}
		l.spans = l.spans[1:]
	}
}

// verdictOf asks the oracle. Who has the destination's address at the time is its pod; a source that is gone, or has another address by
// now, may send nothing.
func verdictOf(stream Stream, s workloads.State) legal {
	from, ok := s.Pods[stream.From]
	if !ok || !slices.Contains(from.IPs, stream.FromAddr) {
		return mayDrop
	}
	to, ok := tenant(s, stream)
	if !ok {
		return mayDrop
	}
	d := s.Passes(workloads.Endpoint{Pod: stream.From, Addr: stream.FromAddr}, workloads.Endpoint{Pod: to, Addr: stream.ToAddr}, stream.Protocol, stream.Port)
	if d.Allowed {
		return mayPass
	}
	return mayDrop
}

// tenant finds the pod that has the destination's address: most of the time the one that had it when the stream began.
func tenant(s workloads.State, stream Stream) (workloads.Key, bool) {
	if p, ok := s.Pods[stream.To]; ok && slices.Contains(p.IPs, stream.ToAddr) {
		return stream.To, true
	}
	for k, p := range s.Pods {
		if slices.Contains(p.IPs, stream.ToAddr) {
			return k, true
		}
	}
	return workloads.Key{}, false
}

// concerns counts the changed objects that can make a difference to the stream: only one of a change may be in force yet, or all but one.
func concerns(stream Stream, before, after workloads.State) int {
	changed, near := 0, map[string]bool{}
	for k := range ends(stream, before, after) {
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
	return changed
}

// ends returns the pods at both ends, before and after.
func ends(stream Stream, states ...workloads.State) map[workloads.Key]bool {
	keys := map[workloads.Key]bool{stream.From: true}
	for _, s := range states {
		if to, ok := tenant(s, stream); ok {
			keys[to] = true
		}
	}
	return keys
}
