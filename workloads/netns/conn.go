//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const answerBound = 10 // seconds; bulk teardown elsewhere can hold the kernel's rtnl lock for a while

// conn is a route netlink socket, bound to the namespace in which it was opened. It sends several requests in one
// system call, which nl cannot. It is not safe for concurrent use.
type conn struct {
	fd     int
	buffer []byte
}

// request is one netlink request and what it is for.
type request struct {
	what string
	*nl.NetlinkRequest
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	c := &conn{fd: fd, buffer: make([]byte, 64<<10)}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerBound})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("set up netlink socket: %w", err)
	}
	return c, nil
}

func (c *conn) close() { _ = unix.Close(c.fd) }

// do sends the requests at once, waits for every answer and returns the first error. The kernel carries on after one.
func (c *conn) do(requests ...request) error {
	var out []byte
	waiting := make(map[uint32]string, len(requests))
	for _, r := range requests {
		r.Flags |= unix.NLM_F_REQUEST | unix.NLM_F_ACK
		out = append(out, r.Serialize()...)
		waiting[r.Seq] = r.what
	}
	if err := unix.Sendto(c.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("%s: send: %w", requests[0].what, err)
	}
	var first error
	for len(waiting) > 0 {
		messages, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s: %w", requests[0].what, err)
		}
		for _, m := range messages {
			what, ours := waiting[m.Header.Seq]
			if !ours || m.Header.Type != unix.NLMSG_ERROR {
				continue
			}
			delete(waiting, m.Header.Seq)
			if err := failure(m); err != nil && first == nil {
				first = fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return first
}

// dump sends one request and gives every message of its answer, but for acknowledgements, to each. A dump that the
// kernel's tables changed under may lack some of that change.
func (c *conn) dump(r request, each func(syscall.NetlinkMessage) error) error {
	r.Flags |= unix.NLM_F_REQUEST
	if err := unix.Sendto(c.fd, r.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("%s: send: %w", r.what, err)
	}
	for {
		messages, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		for _, m := range messages {
			if m.Header.Seq != r.Seq {
				continue
			}
			if m.Header.Type == unix.NLMSG_ERROR || m.Header.Type == unix.NLMSG_DONE {
				if err := failure(m); err != nil {
					return fmt.Errorf("%s: %w", r.what, err)
				}
				return nil
			}
			if err := each(m); err != nil {
				return fmt.Errorf("%s: %w", r.what, err)
			}
		}
	}
}

func (c *conn) receive() ([]syscall.NetlinkMessage, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buffer, 0)
		switch err {
		case nil:
			return syscall.ParseNetlinkMessage(c.buffer[:n])
		case unix.EINTR:
		case unix.EAGAIN:
			return nil, fmt.Errorf("no answer from the kernel within %d s: %w", answerBound, os.ErrDeadlineExceeded)
		default:
			return nil, fmt.Errorf("receive: %w", err)
		}
	}
}

// failure returns the error that an NLMSG_ERROR or NLMSG_DONE message carries.
func failure(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// subscribe opens a non-blocking socket, in the current namespace, that receives the groups' events.
func subscribe(protocol int, groups ...int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink events")
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20)
	if errors.Is(err, unix.EPERM) { // the right is the machine's root's alone; what overflows wakes too
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 32<<20)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	for _, group := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("subscribe to netlink events: %w", err)
	}
	return file, nil
}
