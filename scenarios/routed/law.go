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

// objects are those of the state that can make a difference to a request.
func (l *law) objects(r routing.Request) (o routing.Objects) {
	for _, p := range l.near(r) {
		if object := l.now.Object(p); object != nil {
			o.Put(object)
		}
	}
	return o
}

// near are the parts that can make a difference to a request.
func (l *law) near(r routing.Request) []workloads.Part {
	return l.index.Near(r, func(p workloads.Part) []workloads.Object {
		if object := l.now.Object(p); object != nil {
			return []workloads.Object{object}
		}
		return nil
	})
}

// answer says what may answer a request, and how the addresses are called that may be behind it.
func (l *law) answer(r routing.Request) (routing.Answer, names) {
	o := l.objects(r)
	n := names{}
	for _, some := range o.Slices {
		n.add(some...)
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
