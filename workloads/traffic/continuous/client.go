//go:build linux

package continuous

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
)

// client is a connection's end that sends.
type client struct {
	load *Traffic
	load.Connection
	stream
	account account
	index   uint32 // in the table of all
	pair    load.Pair
	fd      int // -1: it is over, or never was
	stands  bool
	begun   int64
	backlog []uint64 // numbers of messages that are due and not sent yet
}

// connect begins the connection. An error of it is its end; one that is returned is the load's own.
func (c *client) connect() error {
	l := c.load
	return l.inside(c.pair.From, func() error {
		fd, err := openSocket(c.pair.To.Addr(), l.spec.Protocol)
		if err != nil {
			return err
		}
		c.fd = fd
		if c.pair.Source.IsValid() {
			if err := c.bindTo(); err != nil {
				return err
			}
		}
		c.begun, c.Begun = l.now(), time.Now()
		err = unix.Connect(fd, sockaddr(c.pair.To))
		c.Local = localAddress(fd)
		if err != nil && !errors.Is(err, unix.EINPROGRESS) {
			c.end(causeOf(err))
			return nil
		}
		events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
		if err != nil {
			events |= unix.EPOLLOUT
		}
		if err := l.watch(fd, c, events); err != nil || events&unix.EPOLLOUT != 0 {
			return err
		}
		c.stand() // last: it may send, wait for room and even end the connection
		return nil
	})
}

func (c *client) bindTo() error {
	err := unix.SetsockoptInt(c.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.Bind(c.fd, sockaddr(netip.AddrPortFrom(c.pair.Source, 0)))
	}
	if err != nil {
		return fmt.Errorf("send from %s: %w", c.pair.Source, err)
	}
	return nil
}

// stand notes that the connection stands.
func (c *client) stand() {
	c.stands = true
	c.Connect = max(time.Duration(c.load.now()-c.begun), 1)
	c.Local = localAddress(c.fd)
	c.load.standing++
	if c.load.spec.Protocol != load.UDP {
		_ = c.load.connects.Record(c.Connect.Seconds())
	}
	if c.load.spec.Closed {
		c.due(c.load.now())
	}
}

func (c *client) ready(events uint32) {
	if !c.stands {
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			c.end(causeOf(unix.Errno(code)))
			return
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		if err := c.load.rewatch(c.fd, false); err != nil {
			c.load.fail(err)
			return
		}
		c.stand() // after that: it may send, and wait for room
	}
	if c.load.spec.Protocol == load.UDP {
		c.readDatagrams()
		if c.waits && c.fd >= 0 {
			c.pushOrEnd()
		}
		return
	}
	open, err := c.read(c.fd)
	if bad := c.readAnswers(); bad != nil {
		err = bad
	}
	if err == nil && c.fd >= 0 {
		err = c.push()
	}
	switch {
	case c.fd < 0:
	case err != nil:
		c.end(causeOf(err))
	case !open:
		c.end(load.PeerClosed)
	}
}

func (c *client) readAnswers() error {
	for {
		body, length, err := c.load.format.decode(c.in, answerSize)
		if err != nil || length == 0 {
			return err
		}
		if !c.take(body) {
			return errGarbled
		}
		c.in = c.in[length:]
	}
}

func (c *client) readDatagrams() {
	for {
		n, err := unix.Read(c.fd, c.load.buffer)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNREFUSED): // ICMP: what it is about counts as lost
			continue
		case again(err):
			return
		case err != nil:
			c.end(causeOf(err))
			return
		}
		c.take(c.load.buffer[:n])
	}
}

// take notes an answer; false: it is none of ours.
func (c *client) take(body []byte) bool {
	h, ok := parseHeader(body)
	if !ok || len(body) != answerSize || h.connection != c.index {
		return false
	}
	now := c.load.now()
	c.account.answered(h.number, now)
	if server := int(body[19]) | int(body[18])<<8; c.Server == nil && server < len(c.load.spec.Servers) {
		c.Server = &c.load.spec.Servers[server]
	}
	if c.load.spec.Closed && h.number+1 == c.account.next() {
		c.due(now)
	}
	return true
}

// due is that a message must go now.
func (c *client) due(at int64) {
	if c.load.ending {
		return
	}
	number := c.account.next()
	c.account.take(at, false)
	if c.fd < 0 || !c.stands && !c.load.spec.Idle {
		return // it is missed
	}
	if !c.stands { // it was begun when the end came, and says its one word once it stands
		c.backlog = append(c.backlog, number)
		return
	}
	if len(c.backlog) == 0 && len(c.out) == 0 {
		_ = c.load.lateness.Record(time.Duration(max(c.load.now()-at, 0)).Seconds())
	}
	c.backlog = append(c.backlog, number)
	c.pushOrEnd()
}

func (c *client) pushOrEnd() {
	if err := c.push(); err != nil {
		c.end(causeOf(err))
	}
}

// push sends messages of the backlog as long as the socket takes them.
func (c *client) push() error {
	for {
		if len(c.out) > 0 {
			if err := c.flush(c.load, c.fd); err != nil || len(c.out) > 0 {
				return err
			}
		}
		if len(c.backlog) == 0 {
			return c.waitFor(c.load, c.fd, false)
		}
		number := c.backlog[0]
		data := c.load.format.encodeMessage(c.load.scratch[:0], header{c.index, number})
		c.load.scratch = data
		if c.load.spec.Protocol == load.UDP {
			_, err := unix.Write(c.fd, data)
			if errors.Is(err, unix.ECONNREFUSED) { // what came back of an earlier one; this was not sent
				_, err = unix.Write(c.fd, data)
			}
			if again(err) {
				return c.waitFor(c.load, c.fd, true)
			}
			if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
			c.markSent(number, err == nil)
		} else {
			c.out = append(c.out[:0:0], data...)
			c.markSent(number, true) // a part of it may go with the connection: then it is lost
		}
		c.backlog = c.backlog[1:]
	}
}

func (c *client) markSent(number uint64, sent bool) {
	if m := c.account.at(number); m != nil {
		m.sent = sent
	}
}

// end closes the connection, for a cause.
func (c *client) end(cause load.Cause) {
	if c.Cause != "" {
		return
	}
	l := c.load
	c.Cause, c.Ended = cause, time.Now()
	if c.stands {
		l.standing--
	}
	if c.fd >= 0 {
		if l.spec.Protocol != load.UDP {
			c.askTCP()
		}
		l.closeSocket(c.fd)
		c.fd = -1
	}
	c.in, c.out, c.backlog = nil, nil, nil
	if cause != load.Done {
		l.failed++
		l.again(c)
	}
}

func causeOf(err error) load.Cause {
	switch {
	case errors.Is(err, errGarbled):
		return load.Garbled
	case errors.Is(err, unix.ECONNREFUSED):
		return load.Refused
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return load.Reset
	case errors.Is(err, unix.ETIMEDOUT):
		return load.TimedOut
	case err == nil || errors.Is(err, unix.Errno(0)):
		return load.PeerClosed
	}
	return load.Cause(err.Error())
}
