//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
)

// backlog is what the kernel lets a socket have by default: more than the flows of a round, and than a stream by TCP begins in some seconds.
const backlog = 4096

// receiver is a socket that waits for flows, or the receiving end of a Conversation by TCP.
type receiver struct {
	socket int
	space  *space
	take   func(*receiver) bool // takes in and answers one of what has arrived; false if there was nothing
}

// accepted is a TCP connection whose token has not come, or that was answered and is to be closed.
type accepted struct {
	socket   int // -1: it is a Conversation's by now
	space    *space
	peer     netip.Addr
	answered bool
}

// Listen makes the namespace answer flows of both protocols to each port, on all its IPv4 and IPv6 addresses, all or none; flows that
// began from one of the ports go on. A namespace with sockets outlives its descriptor until Release.
func (p *Prober) Listen(ns *netns.Namespace, ports []uint16) error {
	if len(ports) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	var opened []int
	s, take := p.space(ns), map[corev1.Protocol]func(*receiver) bool{corev1.ProtocolTCP: p.accept, corev1.ProtocolUDP: p.receive}
	err := ns.Do(func() error {
		for _, port := range ports {
			for protocol := range take {
				socket, err := listen(protocol, port)
				if err == nil {
					opened = append(opened, socket)
					err = p.watch(&receiver{socket, s, take[protocol]})
				}
				if err != nil {
					return fmt.Errorf("listen on %s port %d: %w", protocol, port, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, p.closeReceivers(opened))
	}
	s.receivers = append(s.receivers, opened...)
	return nil
}

// watch lets a receiver take what arrives.
func (p *Prober) watch(r *receiver) error {
	p.receivers[r.socket] = r
	return unix.EpollCtl(p.poll, unix.EPOLL_CTL_ADD, r.socket, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r.socket)})
}

// Release closes all that the Prober has in the namespace; it is no error if that is nothing.
func (p *Prober) Release(ns *netns.Namespace) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.release(ns)
}

func (p *Prober) release(ns *netns.Namespace) error {
	p.history.release(ns)
	if p.stream != nil {
		p.stream.release(ns)
	}
	s := p.spaces[ns]
	if s == nil {
		return nil
	}
	delete(p.spaces, ns)
	p.collect() // what has arrived has not been dropped
	p.dismiss()
	return p.closeReceivers(s.receivers)
}

func (p *Prober) closeReceivers(sockets []int) error {
	var errs error
	for _, s := range sockets {
		delete(p.receivers, s)
		// Closing alone is not enough: a child that has been forked and not yet executed holds the socket for a while, and so does epoll.
		if err := unix.EpollCtl(p.poll, unix.EPOLL_CTL_DEL, s, nil); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = errors.Join(errs, fmt.Errorf("watch a socket no more: %w", err))
		}
		errs = errors.Join(errs, closeSocket(s))
	}
	return errs
}

func (p *Prober) space(ns *netns.Namespace) *space {
	if p.spaces[ns] == nil {
		p.spaces[ns] = &space{}
	}
	return p.spaces[ns]
}

// collect takes in and answers all that has arrived, and reports whether that was anything.
func (p *Prober) collect() (moved bool) {
	var events [64]unix.EpollEvent
	for {
		n, err := unix.EpollWait(p.poll, events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			p.fail(fmt.Errorf("wait for flows: %w", err))
			return moved
		}
		for _, e := range events[:max(n, 0)] {
			r := p.receivers[int(e.Fd)]
			for r.take(r) {
				moved = true
			}
		}
		if n < len(events) {
			break
		}
	}
	for i := range p.accepted {
		moved = p.answer(&p.accepted[i]) || moved
	}
	return moved
}

// accept accepts one connection, if there is one.
func (p *Prober) accept(r *receiver) bool {
	socket, from, err := unix.Accept4(r.socket, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case err == nil:
		p.accepted = append(p.accepted, accepted{socket: socket, space: r.space, peer: address(from)})
		return true
	case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
		return true
	case !errors.Is(err, unix.EAGAIN):
		p.fail(fmt.Errorf("accept: %w", err))
	}
	return false
}

// answer sends a connection's token back once it has come.
func (p *Prober) answer(a *accepted) bool {
	if a.answered {
		return false
	}
	token, err := readToken(a.socket)
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	a.answered = true
	if err != nil {
		return false // its other side has been given up
	}
	if t := p.arrived(token, a.peer); t != nil {
		_ = t.write(a.socket) // the other side sees what becomes of it
		if t.kept {
			p.keep(a)
		}
	}
	return true
}

// receive takes in and answers one datagram, if there is one.
func (p *Prober) receive(r *receiver) bool {
	d, err := receiveDatagram(r.socket)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.EBADMSG): // somebody else's datagram
		return true
	case err != nil:
		p.fail(fmt.Errorf("receive: %w", err))
		return false
	}
	if d.lost > 0 {
		p.fail(fmt.Errorf("receive: %d datagrams had arrived, and were lost because nobody took them: this machine is too busy", d.lost))
	}
	if d.streamed {
		if p.stream != nil && p.stream.streamed(d.token, d.number, d.at) {
			_ = sendBack(r.socket, d)
		}
		return true
	}
	if t := p.arrived(d.token, address(d.from)); t != nil {
		t.result.Connected = true
		_ = sendBack(r.socket, d)
	}
	return true
}

// arrived notes that a flow's token came, and returns its try if it is under way.
func (p *Prober) arrived(token uint64, peer netip.Addr) *try {
	t := p.tries[token]
	if t == nil {
		p.history.arrived(token)
		return nil
	}
	t.result.SourceSeen = peer
	p.reached++
	return t
}

// dismiss closes the connections that were accepted.
func (p *Prober) dismiss() {
	for _, a := range p.accepted {
		if a.socket >= 0 {
			_ = closeSocket(a.socket)
		}
	}
	p.accepted = p.accepted[:0]
}

func (p *Prober) fail(err error) {
	if p.failure == nil {
		p.failure = err
	}
}
