//go:build linux

package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

// answerBound is how long an accepted connection may stay open: far longer than a probe waits, so it decides nothing.
const answerBound = 5 * time.Second

// Listen opens a listener for each port, on all IPv4 and IPv6 addresses of the namespace, whose connections the Prober
// answers. It opens all or none. A namespace with listeners outlives its descriptor until Release.
func (p *Prober) Listen(ns *netns.Namespace, ports []uint16) error {
	var opened []net.Listener
	err := ns.Do(func() error {
		for _, port := range ports {
			l, err := listen(port)
			if err != nil {
				return fmt.Errorf("listen on port %d: %w", port, err)
			}
			opened = append(opened, l)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.closed {
		err = os.ErrClosed
	}
	if err != nil {
		return errors.Join(err, closeListeners(opened))
	}
	p.listeners[ns] = append(p.listeners[ns], opened...)
	for _, l := range opened {
		p.served.Go(func() { p.accept(l) })
	}
	return nil
}

// Release closes the namespace's listeners; it is no error if it has none.
func (p *Prober) Release(ns *netns.Namespace) error {
	p.mu.Lock()
	listeners := p.listeners[ns]
	delete(p.listeners, ns)
	p.mu.Unlock()
	return closeListeners(listeners)
}

// listen opens one socket for both families, or for IPv4 on a kernel without IPv6.
func listen(port uint16) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	address := ":" + strconv.Itoa(int(port))
	l, err := config.Listen(context.Background(), "tcp", address)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return config.Listen(context.Background(), "tcp4", address)
	}
	return l, err
}

func (p *Prober) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.fail(errors.Join(fmt.Errorf("accept on %s: %w", l.Addr(), err), l.Close()))
			return
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			abort(conn)
			return
		}
		p.accepted[conn] = struct{}{}
		_ = conn.SetDeadline(time.Now().Add(answerBound)) // not in answer, which could undo Close's
		p.served.Go(func() { p.answer(conn) })
		p.mu.Unlock()
	}
}

// answer tells the peer which address it has from here, and waits for it to hang up.
func (p *Prober) answer(conn net.Conn) {
	defer func() {
		abort(conn)
		p.mu.Lock()
		delete(p.accepted, conn)
		p.mu.Unlock()
	}()
	if _, err := conn.Write([]byte(conn.RemoteAddr().String() + "\n")); err != nil {
		return
	}
	var end [1]byte
	_, _ = conn.Read(end[:])
}

// abort closes with a reset. An orderly close of a connection whose packets are dropped would linger in the kernel for
// minutes and keep its network namespace alive.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func closeListeners(listeners []net.Listener) error {
	var errs error
	for _, l := range listeners {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}
