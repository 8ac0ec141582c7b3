//go:build linux

package web

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// secured is TLS on a connection of a load. The handshake waits on a goroutine of its own for what the loop feeds it; afterwards the loop
// reads by itself, and is told when there is no more for now.
type secured struct {
	conn *tls.Conn
	wire *fed
}

// readSecured takes in what came encrypted.
func (p *presser) readSecured(c *lane, data []byte) error {
	c.tls.wire.feed(data)
	if c.state == securing {
		return nil // the handshake's goroutine takes it
	}
	for {
		n, err := c.tls.conn.Read(p.clear)
		if n > 0 {
			if err := p.came(c, p.clear[:n]); err != nil {
				return err
			}
			if c.tls == nil {
				return nil // it closed
			}
		}
		switch {
		case errors.Is(err, errLater):
			return nil
		case errors.Is(err, io.EOF):
			return errClosed
		case err != nil:
			return err
		}
	}
}

func (s *secured) write(data []byte) error {
	_, err := s.conn.Write(data)
	return err
}

// secure begins the handshake.
func (p *presser) secure(c *lane) {
	wire := &fed{fd: c.fd, blocks: true}
	wire.more.L = &wire.mu
	c.tls = &secured{tls.Client(wire, p.tls), wire}
	secured := c.tls
	p.handshakes.Go(func() {
		err := secured.conn.Handshake()
		p.mu.Lock()
		p.agreed = append(p.agreed, agreement{c, secured, err})
		p.mu.Unlock()
		p.rouse()
	})
}

// agreement is a handshake that has ended.
type agreement struct {
	lane *lane
	tls  *secured
	err  error
}

// agree goes on with connections whose handshakes have ended.
func (p *presser) agree() {
	p.mu.Lock()
	all := p.agreed
	p.agreed = nil
	p.mu.Unlock()
	for _, a := range all {
		if a.lane.tls != a.tls || a.lane.state != securing {
			continue // it has been closed meanwhile
		}
		if a.err != nil {
			p.lost(a.lane, a.err)
			continue
		}
		a.tls.wire.wait(false)
		p.stands(a.lane)
		if a.lane.tls == a.tls && a.lane.state != away { // what came with the handshake's last part, such as tickets
			if err := p.readSecured(a.lane, nil); err != nil {
				p.lost(a.lane, err)
			}
		}
	}
}

// errLater is what a read returns if there is no more for now. TLS goes on after it.
var errLater error = later{}

type later struct{}

func (later) Error() string   { return "no more for now" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }

// fed is a net.Conn whose reader gets what it is fed.
type fed struct {
	fd     int
	mu     sync.Mutex
	more   sync.Cond
	in     []byte
	blocks bool
	ended  bool
}

func (f *fed) feed(data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in = append(f.in, data...)
	f.more.Signal()
}

func (f *fed) wait(blocks bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks = blocks
}

// Read gives what was fed.
func (f *fed) Read(to []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.in) == 0 && f.blocks && !f.ended {
		f.more.Wait()
	}
	if len(f.in) == 0 {
		if f.ended {
			return 0, io.EOF
		}
		return 0, errLater
	}
	n := copy(to, f.in)
	if f.in = f.in[n:]; len(f.in) == 0 {
		f.in = nil
	}
	return n, nil
}

// Write sends at once. What the kernel does not take for a second ends the connection: requests are small.
func (f *fed) Write(data []byte) (int, error) {
	sent := len(data)
	for until := time.Now().Add(time.Second); ; {
		f.mu.Lock()
		ended := f.ended
		rest, ok := data, false
		if !ended {
			rest, ok = send(f.fd, data)
		}
		f.mu.Unlock()
		if ended || !ok {
			return 0, unix.EPIPE
		}
		if len(rest) == 0 {
			return sent, nil
		}
		if data = rest; time.Now().After(until) {
			return 0, os.ErrDeadlineExceeded
		}
		time.Sleep(time.Millisecond)
	}
}

// Close lets who waits go, and keeps anybody from using a number that may be another file's.
func (f *fed) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.more.Broadcast()
	return nil
}

func (*fed) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*fed) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*fed) SetDeadline(time.Time) error      { return nil }
func (*fed) SetReadDeadline(time.Time) error  { return nil }
func (*fed) SetWriteDeadline(time.Time) error { return nil }
