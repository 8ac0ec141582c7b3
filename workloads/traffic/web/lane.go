//go:build linux

package web

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/requests"
)

// laneState is how a connection of a load stands.
type laneState uint8

const (
	away       laneState = iota // there is none; it is begun at lane.since
	connecting                  // since lane.since
	securing                    // TLS is being agreed on
	free
	busy
	resting // idle for good
)

// lane is one connection of a load, which is begun again when it ends.
type lane struct {
	fd    int
	from  int // which origin
	to    int // which destination
	idle  bool
	stood bool // once at least, if idle: and was answered
	state laneState

	since  int64 // when the state began, or when it is to be begun again
	freed  int64 // the earliest time at which it may have been free: lateness is counted from then
	due    int64 // of what is asked
	ask    int   // of the mix
	out    []byte
	answer reading
	tls    *secured // nil: it is plain
}

// ready is called when something came, or the connection ended.
func (p *presser) ready(c *lane, events uint32) {
	switch c.state {
	case connecting:
		code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			p.lost(c, err)
			return
		}
		if events&unix.EPOLLOUT != 0 {
			p.connected(c)
		}
		return
	case away:
		return
	}
	if events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
		rest, ok := send(c.fd, c.out)
		if !ok {
			p.lost(c, unix.EPIPE)
			return
		}
		if c.out = rest; len(rest) == 0 {
			_ = p.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP)
		}
	}
	if events&^unix.EPOLLOUT != 0 {
		p.read(c)
	}
}

// read takes in what there is.
func (p *presser) read(c *lane) {
	for {
		n, err := unix.Read(c.fd, p.buffer)
		switch {
		case err == unix.EINTR:
			continue
		case again(err):
			return
		case err == nil && n == 0:
			p.ended(c)
			return
		case err != nil:
			p.lost(c, err)
			return
		}
		if c.tls != nil {
			err = p.readSecured(c, p.buffer[:n])
		} else {
			err = p.came(c, p.buffer[:n])
		}
		if err != nil {
			p.lost(c, err)
			return
		}
		if n < len(p.buffer) || c.state == away {
			return
		}
	}
}

// ended is called when the other side has closed in order.
func (p *presser) ended(c *lane) {
	if c.state == busy && c.answer.over() {
		p.answered(c)
		return
	}
	p.lost(c, errClosed)
}

var errClosed = errors.New("closed by the other side")

// came takes in a part of an answer.
func (p *presser) came(c *lane, data []byte) error {
	if c.state != busy {
		return errGarbled
	}
	done, err := c.answer.feed(data)
	if err != nil {
		return err
	}
	if done {
		p.answered(c)
	}
	return nil
}

// answered takes in a complete answer.
func (p *presser) answered(c *lane) {
	now := p.now()
	a := &p.asks[c.ask]
	wrong := a.judge(&c.answer)
	closes := c.answer.closes
	if c.idle {
		if wrong == nil {
			c.stood = true
		} else {
			p.wrong(wrong)
		}
	} else {
		p.tell(c.due, now, wrong)
	}
	c.answer.in = nil
	if closes {
		if c.idle && c.stood {
			p.idleLost++
		}
		p.again(c, now)
		if !c.idle { // one that is idle asks as soon as it stands: it would go on and on
			p.anew = append(p.anew, c)
		}
		return
	}
	if c.idle {
		c.state, c.since = resting, now
		return
	}
	p.release(c, p.seen)
}

// release lets a connection be asked, which may have been free since then.
func (p *presser) release(c *lane, since int64) {
	c.state, c.since, c.freed = free, since, since
	p.free.push(c)
}

// connected is called when TCP stands.
func (p *presser) connected(c *lane) {
	if err := p.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
		p.lost(c, err)
		return
	}
	if p.order.Load.TLS {
		c.state = securing
		p.secure(c)
		return
	}
	p.stands(c)
}

// stands is called when all of a connection stands.
func (p *presser) stands(c *lane) {
	now := p.now()
	p.record(p.connects, now-c.since)
	if c.idle {
		p.ask(c, now, 0)
		return
	}
	p.release(c, now)
}

// ask sends one of the mix on a free connection.
func (p *presser) ask(c *lane, due int64, which int) {
	c.state, c.due, c.ask = busy, due, which
	c.answer = reading{bare: p.asks[which].bare, backend: c.answer.backend[:0]}
	c.since = p.now()
	message := p.asks[which].message[c.to]
	if c.tls != nil {
		if err := c.tls.write(message); err != nil {
			p.lost(c, err)
		}
		return
	}
	p.put(c, message)
}

// put gives bytes to the kernel, the rest as soon as it takes more.
func (p *presser) put(c *lane, data []byte) {
	rest, ok := send(c.fd, data)
	if !ok {
		p.lost(c, unix.EPIPE)
		return
	}
	if len(rest) > 0 {
		c.out = append(c.out, rest...)
		_ = p.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLOUT)
	}
}

// lost is called when a connection has failed or was closed. What was asked on it has failed.
func (p *presser) lost(c *lane, err error) {
	how := failureOf(err)
	switch c.state {
	case connecting:
		p.notBegun(how)
	case securing:
		if how == requests.Other {
			how = requests.Handshake
		}
		p.notBegun(how)
	case busy:
		if c.idle {
			p.notBegun(how)
		} else {
			p.failed(c.due, how)
		}
	case free:
		p.count.Ended++
		p.free.remove(c)
	case resting:
		if c.stood { // else it was never counted as one that stands
			p.idleLost++
		}
	}
	p.again(c, p.now())
}

// retryAfter is how long after its end a connection is begun again, unless it ended in order.
const retryAfter = int64(100e6)

// again closes a connection, to begin it anew; an idle one that stood stays closed.
func (p *presser) again(c *lane, now int64) {
	p.close(c)
	c.state, c.since = away, now+retryAfter
}

func (p *presser) close(c *lane) {
	if c.tls != nil {
		_ = c.tls.wire.Close()
	}
	if c.fd >= 0 {
		p.byFD[c.fd] = nil
		_ = unix.Close(c.fd)
	}
	c.fd, c.out, c.tls = -1, nil, nil
}

// begin begins a connection.
func (p *presser) begin(c *lane, now int64) {
	c.state, c.since = connecting, now
	fd, err := -1, p.enter(c.from)
	if err != nil {
		err = &failed{requests.Own, err}
	} else {
		fd, err = connect(p.order.Load.From[c.from].Source, p.order.Load.To[c.to])
	}
	if err != nil {
		c.fd = -1
		p.lost(c, err)
		return
	}
	c.fd = fd
	for len(p.byFD) <= fd {
		p.byFD = append(p.byFD, make([]*lane, fd+1)...)
	}
	p.byFD[fd] = c
	if err := p.watch(c, unix.EPOLL_CTL_ADD, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLOUT); err != nil {
		p.lost(c, err)
	}
}

func (p *presser) watch(c *lane, op int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.poll, op, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)}))
}

// lanes is a queue of free connections, the one that is free for longest first.
type lanes struct {
	ring        []*lane
	first, size int
}

func newLanes(most int) lanes { return lanes{ring: make([]*lane, max(most, 1))} }

func (q *lanes) push(c *lane) {
	q.ring[(q.first+q.size)%len(q.ring)] = c
	q.size++
}

// pop returns the first; nil: there is none.
func (q *lanes) pop() *lane {
	if q.size == 0 {
		return nil
	}
	c := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) % len(q.ring)
	q.size--
	return c
}

// remove takes one out, wherever it stands.
func (q *lanes) remove(c *lane) {
	for n := q.size; n > 0; n-- {
		if other := q.pop(); other != c {
			q.push(other)
		}
	}
}
