//go:build linux

package continuous

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
)

// openSocket opens a non-blocking socket of the address's family in the current namespace.
func openSocket(to netip.Addr, protocol load.Protocol) (int, error) {
	family, kind := unix.AF_INET6, unix.SOCK_STREAM
	if to.Is4() {
		family = unix.AF_INET
	}
	if protocol == load.UDP {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if kind == unix.SOCK_STREAM { // each message goes at once
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	} else {
		err = widen(fd)
	}
	if err != nil {
		return -1, fmt.Errorf("set up socket: %w", errors.Join(err, unix.Close(fd)))
	}
	return fd, nil
}

// widen gives a socket room for datagrams: what it has no room for would count as lost on the way.
func widen(fd int) error {
	const room = 4 << 20
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) == nil {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
}

// listen opens a server's socket for a family in the current namespace.
func listen(is4 bool, protocol load.Protocol, port uint16) (fd int, err error) {
	any := netip.IPv6Unspecified()
	if is4 {
		any = netip.IPv4Unspecified()
	}
	if fd, err = openSocket(any, protocol); err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && !is4 { // so that a server for IPv4 may be beside it
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(any, port)))
	}
	switch {
	case err != nil:
	case protocol != load.UDP:
		err = unix.Listen(fd, 1<<16)
	case is4: // see asked
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	default:
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	if err != nil {
		return -1, fmt.Errorf("listen on port %d: %w", port, errors.Join(err, unix.Close(fd)))
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// localAddress returns the socket's own end; invalid if it has none.
func localAddress(fd int) netip.AddrPort {
	switch a, _ := unix.Getsockname(fd); a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// askTCP notes how the connection fares by TCP's own account.
func (c *client) askTCP() {
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return
	}
	c.Retransmits = info.Total_retrans
	c.Timeout = max(c.Timeout, time.Duration(info.Rto)*time.Microsecond)
	c.Doubled = max(c.Doubled, info.Backoff)
}

// again reports whether a call is to be made again later.
func again(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}

// enoughDescriptors says whether so many more can be opened.
func enoughDescriptors(more int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("count open files: %w", err)
	}
	need := uint64(len(open) + more + 64)
	if need <= limit.Cur {
		return nil
	}
	raised := unix.Rlimit{Cur: need, Max: max(need, limit.Max)}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return fmt.Errorf("the traffic needs %d open files, and this process may have %d: raise `ulimit -n`: %w", need, limit.Max, err)
	}
	return nil
}
