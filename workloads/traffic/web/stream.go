//go:build linux

package web

import (
	"bufio"
	"crypto/tls"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// stream is the client's end of a connection, a net.Conn. One goroutine uses it at a time.
type stream struct {
	*os.File
	route    route
	conn     net.Conn // itself, or TLS on it
	tls      *tls.Conn
	in       *bufio.Reader
	released atomic.Bool
}

// LocalAddr is not known, and nobody asks.
func (s *stream) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is where the connection is to.
func (s *stream) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.route.to) }

// stands waits until the connection stands or fails, within the file's deadline.
func (s *stream) stands() error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		if n == 0 || err == unix.EINTR {
			return false
		}
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		failed = os.NewSyscallError("connect", err)
		return true
	})
	if err != nil {
		return err
	}
	return failed
}
