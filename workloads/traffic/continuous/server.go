//go:build linux

package continuous

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
)

// listener takes connections for a server.
type listener struct {
	load *Traffic
	fd   int
	pod  uint32 // which of Spec.Servers
}

// listenAll opens the servers' sockets.
func (l *Traffic) listenAll() error {
	for i := range l.spec.Servers {
		if err := l.serve(i); err != nil {
			return err
		}
	}
	return nil
}

// serve opens the sockets of a server: on all ports that the pairs name, for the families that they do.
func (l *Traffic) serve(i int) error {
	type place struct {
		is4  bool
		port uint16
	}
	places := map[place]bool{}
	for _, p := range l.spec.Pairs {
		places[place{p.To.Addr().Is4(), p.To.Port()}] = true
	}
	pod := l.spec.Servers[i]
	for at := range places {
		err := l.inside(pod, func() error {
			fd, err := listen(at.is4, l.spec.Protocol, at.port)
			if err != nil {
				return err
			}
			if l.spec.Protocol == load.UDP {
				return l.watch(fd, &datagramServer{load: l, fd: fd, pod: uint32(i)}, unix.EPOLLIN)
			}
			return l.watch(fd, &listener{l, fd, uint32(i)}, unix.EPOLLIN)
		})
		if err != nil {
			return fmt.Errorf("serve in %s: %w", load.Place(pod), err)
		}
	}
	return nil
}

func (s *listener) ready(uint32) {
	for {
		fd, _, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			if !again(err) && !errors.Is(err, unix.ECONNABORTED) {
				s.load.fail(fmt.Errorf("accept: %w", err))
			}
			return
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil && !errors.Is(err, unix.EINVAL) { // it is gone already
			s.load.fail(fmt.Errorf("set up accepted connection: %w", err))
		}
		served := &served{load: s.load, fd: fd, pod: s.pod}
		if err := s.load.watch(fd, served, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
			s.load.fail(err)
			return
		}
	}
}

// served is the server's end of a connection.
type served struct {
	load *Traffic
	fd   int
	pod  uint32
	stream
}

func (s *served) ready(events uint32) {
	open, err := s.read(s.fd)
	for err == nil {
		body, length, bad := s.load.format.decode(s.in, s.load.spec.Size)
		if err = bad; bad != nil || length == 0 {
			break
		}
		h, ok := parseHeader(body)
		c := s.load.connection(h.connection)
		if !ok || c == nil {
			err = errGarbled
			break
		}
		if c.account.arrive(h.number) {
			s.out = s.load.format.encodeAnswer(s.out, h, s.pod)
		}
		s.in = s.in[length:]
	}
	if err == nil {
		err = s.flush(s.load, s.fd)
	}
	if err != nil || !open {
		s.load.closeSocket(s.fd)
	}
}

// datagramServer answers datagrams.
type datagramServer struct {
	load  *Traffic
	fd    int
	pod   uint32
	about [64]byte // what the kernel says of a datagram
}

func (s *datagramServer) ready(uint32) {
	for {
		n, about, _, from, err := unix.Recvmsg(s.fd, s.load.buffer, s.about[:], 0)
		if err != nil {
			if !again(err) && !errors.Is(err, unix.ECONNREFUSED) { // a client that is gone
				s.load.fail(fmt.Errorf("receive: %w", err))
			}
			return
		}
		h, ok := parseHeader(s.load.buffer[:n])
		c := s.load.connection(h.connection)
		if !ok || c == nil || n != s.load.spec.Size {
			continue
		}
		if c.account.arrive(h.number) {
			_ = unix.Sendmsg(s.fd, s.load.format.encodeAnswer(nil, h, s.pod), asked(s.about[:about]), from, 0) // what does not go is lost on the way back
		}
	}
}

// stream is what came on a connection and was not worked off, and what is to be sent and was not taken yet.
type stream struct {
	in, out []byte
	waits   bool // for the socket to take more
}

// read reads what there is; not open: the other side has closed.
func (s *stream) read(fd int) (open bool, err error) {
	var data [64 << 10]byte
	for {
		n, err := unix.Read(fd, data[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case again(err):
			return true, nil
		case err != nil || n == 0:
			return false, err
		}
		s.in = append(s.in, data[:n]...)
		if n < len(data) {
			return true, nil
		}
	}
}

// flush sends what the socket takes, and has the load call when it takes more.
func (s *stream) flush(l *Traffic, fd int) error {
	for len(s.out) > 0 {
		n, err := unix.Write(fd, s.out)
		if err != nil && !again(err) {
			return err
		}
		if again(err) {
			break
		}
		s.out = s.out[n:]
	}
	if len(s.out) == 0 {
		s.out = nil
	}
	return s.waitFor(l, fd, len(s.out) > 0)
}

// waitFor says whether the load is to call when the socket takes more.
func (s *stream) waitFor(l *Traffic, fd int, room bool) error {
	if room == s.waits {
		return nil
	}
	s.waits = room
	return l.rewatch(fd, room)
}

// asked makes what the kernel says of a datagram say of its answer that it comes from the address that was asked, which may be one of several
// that the server has; by which interface it leaves, routes decide.
func asked(about []byte) []byte {
	const header, index6 = unix.SizeofCmsghdr, unix.SizeofCmsghdr + 16
	switch {
	case len(about) < header:
		return nil
	case about[8] == unix.IPPROTO_IP: // its level
		clear(about[header : header+4])
	default:
		clear(about[index6 : index6+4])
	}
	return about
}
