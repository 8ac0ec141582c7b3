package routed

import (
	"net/netip"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// law says what may answer a request in one state, and follows the state as it changes at the cost of what changes. It is not safe for concurrent use.
type law struct {
	dialect routing.Dialect
	index   *routing.Index
	now     workloads.State
}

func newLaw(d routing.Dialect) *law {
	return &law{dialect: d, index: routing.NewIndex(workloads.State{})}
}

// follow makes the law that of a state.
func (l *law) follow(s workloads.State) {
	for was, is := range l.now.Altered(s) {
		l.index.Claim(was, -1)
		l.index.Claim(is, 1)
	}
	l.now = s
}

// copyTo returns the law of another state. It has the index of both, so that it costs what differs and no more.
func (l *law) copyTo(s workloads.State) *law {
	for _, is := range l.now.Altered(s) {
		l.index.Claim(is, 1)
	}
	return &law{dialect: l.dialect, index: l.index, now: s}
}

// objects are those of the state that can make a difference to a request.
func (l *law) objects(r routing.Request) (o routing.Objects) {
	for _, p := range l.near(r) {
		if object := l.now.Object(p); object != nil {
			o.Put(object)
		}
	}
	return o
}

// near are the parts that can make a difference to a request, in this state or others.
func (l *law) near(r routing.Request, others ...*law) []workloads.Part {
	return l.index.Near(r, func(p workloads.Part) (all []workloads.Object) {
		for _, of := range append(others, l) {
			if object := of.now.Object(p); object != nil {
				all = append(all, object)
			}
		}
		return all
	})
}

// answer says what may answer a request, and how the addresses are called that may be behind it.
func (l *law) answer(r routing.Request) (routing.Answer, names) {
	o := l.objects(r)
	n := names{}
	for _, slices := range o.Slices {
		n.add(slices...)
	}
	return l.dialect.Answer(o, r), n
}

// names are those of pods by address and port.
type names map[netip.AddrPort]workloads.Key

func (n names) add(slices ...workloads.EndpointSlice) {
	for _, slice := range slices {
		for _, e := range slice.Endpoints {
			for _, p := range slice.Ports {
				n[netip.AddrPortFrom(e.Addr, uint16(p.Port))] = e.Pod
			}
		}
	}
}
