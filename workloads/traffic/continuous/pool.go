//go:build linux

package continuous

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// Retire takes a server away, as one that is told to stop goes: its connections are closed in order, and none is begun to its addresses
// any more by connections that are begun elsewhere (Spec.Elsewhere). Its pod may go then.
func (l *Traffic) Retire(server workloads.Key, addresses ...netip.Addr) error {
	return l.order(func() error {
		i := slices.Index(l.spec.Servers, server)
		if i < 0 {
			return fmt.Errorf("%s is no server", load.Place(server))
		}
		l.away = append(l.away, addresses...)
		if err := l.visitor.Enter(l.node); err != nil { // a thread inside would keep the namespace
			return err
		}
		l.home = l.node
		for fd, h := range l.handlers {
			if s, ok := h.(interface{ of() uint32 }); ok && s.of() == uint32(i) {
				l.closeSocket(fd)
			}
		}
		return nil
	})
}

// Serve brings a server back that was retired: its pod answers at the addresses again.
func (l *Traffic) Serve(server workloads.Key, addresses ...netip.Addr) error {
	return l.order(func() error {
		i := slices.Index(l.spec.Servers, server)
		if i < 0 {
			return fmt.Errorf("%s is no server", load.Place(server))
		}
		if err := l.serve(i); err != nil {
			return err
		}
		l.away = slices.DeleteFunc(l.away, func(a netip.Addr) bool { return slices.Contains(addresses, a) })
		return nil
	})
}

func (s *listener) of() uint32       { return s.pod }
func (s *served) of() uint32         { return s.pod }
func (s *datagramServer) of() uint32 { return s.pod }

// order has the thread do something, and waits for it.
func (l *Traffic) order(do func() error) error {
	done := make(chan error, 1)
	select {
	case l.orders <- func() { done <- do() }: // when the thread has taken the one before
	case <-l.done:
		return fmt.Errorf("traffic: it is over")
	}
	l.rouse()
	select {
	case err := <-done:
		return err
	case <-l.done:
		return fmt.Errorf("traffic: it is over")
	}
}

// obey does what is ordered.
func (l *Traffic) obey() {
	select {
	case do := <-l.orders:
		do()
	default:
	}
}

// elsewhere draws another way for a connection that is begun again, from where it came, among servers that are there.
func (l *Traffic) elsewhere(was load.Pair) load.Pair {
	var ways []load.Pair
	for _, p := range l.spec.Pairs {
		if p.From == was.From && p.Source == was.Source && !slices.Contains(l.away, p.To.Addr()) {
			ways = append(ways, p)
		}
	}
	if len(ways) == 0 {
		return was
	}
	return ways[l.rand.IntN(len(ways))]
}
