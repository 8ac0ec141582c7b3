//go:build linux

package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

const (
	firstPort = 1024
	// flowMemory is longer than conntrack remembers a flow of ours: 30 s by UDP with one datagram each way, 10 s by TCP once it was reset.
	// Within that time its ports must not be used again, for the new flow would be taken for the old one and pass with it; by TCP, if the
	// reset came from the other side.
	flowMemory = 31 * time.Second
)

func isUDP(f Flow) bool { return f.Protocol == corev1.ProtocolUDP }

func epoll() (int, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open epoll: %w", err)
	}
	return fd, nil
}

// openSocket opens a non-blocking socket of the address's family; -1 on error.
func openSocket(to netip.Addr, kind int) (int, error) {
	domain := unix.AF_INET6
	if to.Unmap().Is4() {
		domain = unix.AF_INET
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	return fd, nil
}

// listen opens one socket for both families, or for IPv4 on a kernel without IPv6.
func listen(protocol corev1.Protocol, port uint16) (socket int, err error) {
	kind := unix.SOCK_STREAM
	if protocol == corev1.ProtocolUDP {
		kind = unix.SOCK_DGRAM
	}
	any := netip.IPv6Unspecified()
	if socket, err = openSocket(any, kind); errors.Is(err, unix.EAFNOSUPPORT) {
		any = netip.IPv4Unspecified()
		socket, err = openSocket(any, kind)
	}
	if err != nil {
		return -1, err
	}
	set := func(level, option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(socket, level, option, value)
		}
	}
	if any.Is6() {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if kind == unix.SOCK_STREAM {
		set(unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1) // requests whose answer is dropped do not fill the queue for a minute
		if err == nil {                           // for the connections: see Prober.connect
			err = unix.SetsockoptLinger(socket, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
	} else {
		set(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		set(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
		set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
		if any.Is6() {
			set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	}
	if err == nil {
		err = unix.Bind(socket, sockaddr(any, port))
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(socket, backlog)
	}
	if err != nil {
		return -1, errors.Join(err, closeSocket(socket))
	}
	return socket, nil
}

// origin is where flows come from. It is not their namespace: conntrack remembers an address after that has gone to another pod.
type origin struct {
	address netip.Addr // invalid: the kernel has none for such flows
	udp     bool
}

// portsOf returns the ports of the flow's origin. The Prober's lock is held, and the thread is where the flow begins.
func (p *Prober) portsOf(t *try) *ports {
	o := origin{t.flow.Source, isUDP(t.flow)}
	if !o.address.IsValid() {
		o.address = p.space(t.from).source(t.flow.To)
	}
	if p.ports[o] == nil {
		p.ports[o] = &ports{}
	}
	return p.ports[o]
}

// source returns the address that the kernel chooses for flows like one to that address; for each family it is asked once.
func (s *space) source(to netip.Addr) netip.Addr {
	known := &s.v4
	if to.Unmap().Is6() {
		known = &s.v6
	}
	if !known.IsValid() {
		*known = chosenSource(to)
	}
	return *known
}

// chosenSource asks the kernel from which address it would begin a flow; invalid if it can't.
func chosenSource(to netip.Addr) netip.Addr {
	socket, err := openSocket(to, unix.SOCK_DGRAM)
	if err != nil {
		return netip.Addr{}
	}
	defer unix.Close(socket)
	if err := unix.Connect(socket, sockaddr(to, firstPort)); err != nil { // which sends nothing
		return netip.Addr{}
	}
	chosen, err := unix.Getsockname(socket)
	if err != nil {
		return netip.Addr{}
	}
	return address(chosen)
}

// ports deals out the source ports of an origin. It is safe for concurrent use.
type ports struct {
	mu   sync.Mutex
	last uint16
	lap  time.Time // when they began from the first
}

// bindFresh binds to the port that no flow of the origin has begun from for the longest time.
func (p *Prober) bindFresh(t *try, s *ports) error {
	from := t.flow.Source
	switch {
	case from.IsValid():
	case t.flow.To.Unmap().Is4():
		from = netip.IPv4Unspecified()
	default:
		from = netip.IPv6Unspecified()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.last++; s.last < firstPort {
			if !s.lap.IsZero() && time.Since(s.lap) < p.memory {
				s.last--
				return fmt.Errorf("send: all source ports were used within %v", p.memory)
			}
			s.last, s.lap = firstPort, time.Now()
		}
		err := unix.Bind(t.socket, sockaddr(from, s.last))
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err == nil { // once it is bound: two flows never share a port, but somebody may listen on it from now on
			err = unix.SetsockoptInt(t.socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		return err
	}
}

func closeSocket(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

func sockaddr(ip netip.Addr, port uint16) unix.Sockaddr {
	if ip = ip.Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(port), Addr: ip.As16()}
}

func address(from unix.Sockaddr) netip.Addr {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap()
	}
	return netip.Addr{}
}

// readToken reads a token from a stream, where its eight bytes are one segment, or a datagram.
func readToken(socket int) (uint64, error) {
	var token [8]byte
	n, err := unix.Read(socket, token[:])
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, unix.ECONNRESET
	case n < len(token):
		return 0, unix.EBADMSG
	}
	return binary.NativeEndian.Uint64(token[:]), nil
}

// datagram is what a receiver has read.
type datagram struct {
	token    uint64
	from     unix.Sockaddr
	to       []byte // the address that it came to, as sixteen bytes; nil on a kernel without IPv6
	streamed bool   // it is a stream's, and has a number
	number   uint64
	at       int64  // when the socket got it, by CLOCK_MONOTONIC
	lost     uint32 // that the socket had no room for, since it was opened
}

// receiveBuffer is the room of a socket that datagrams arrive at, in bytes: some ten thousand of them (each takes 768), which a
// stream sends in ten seconds. That of the kernel's choice lasts for a tenth of a second of two streams.
const receiveBuffer = 8 << 20

// receiveDatagram reads a datagram.
func receiveDatagram(socket int) (d datagram, err error) {
	var data [streamSize]byte
	control := make([]byte, unix.CmsgSpace(unix.SizeofInet6Pktinfo)+unix.CmsgSpace(int(unsafe.Sizeof(unix.Timespec{})))+unix.CmsgSpace(4))
	n, controls, _, from, err := unix.Recvmsg(socket, data[:], control, 0)
	if err != nil {
		return d, err
	}
	d = datagram{token: binary.NativeEndian.Uint64(data[:]), from: from}
	if d.streamed = n == streamSize; d.streamed {
		d.number = binary.NativeEndian.Uint64(data[8:])
	} else if n != 8 {
		return d, unix.EBADMSG
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return d, unix.EBADMSG
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && d.streamed:
			d.at = (*unix.Timespec)(unsafe.Pointer(&m.Data[0])).Nano() - ahead()
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO:
			d.to = m.Data[:16]
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL:
			d.lost = binary.NativeEndian.Uint32(m.Data)
		}
	}
	return d, nil
}

// sendBack answers a datagram with what it said, from the address that it came to.
func sendBack(socket int, d datagram) error {
	data := binary.NativeEndian.AppendUint64(nil, d.token)
	if d.streamed {
		data = binary.NativeEndian.AppendUint64(data, d.number)
	}
	var from []byte
	if d.to != nil { // without the interface: the answer takes the one that routes say
		from = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: [16]byte(d.to)})
	}
	return unix.Sendmsg(socket, data, from, d.from, 0)
}
