//go:build linux

package traffic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

// try is one flow of the round under way. Its token, eight bytes, is all the data that both sides send.
type try struct {
	flow    Flow
	result  *Result
	from    *netns.Namespace
	socket  int
	token   uint64
	started time.Time
	sent    bool // the token is on its way
	settled bool
	kept    bool // a Conversation's: if it succeeds, its sockets stay open
}

// round tries flows at once, on a visitor's pinned thread, until each has succeeded or failed, or nothing more can come.
func (p *Prober) round(ctx context.Context, v *netns.Visitor, flows []Flow, results []Result, patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		blame(results, os.ErrClosed)
		return
	}
	tries := make([]*try, 0, len(flows))
	for i, f := range flows {
		tries = append(tries, &try{flow: f, result: &results[i], socket: -1})
	}
	p.carryOut(ctx, v, tries, patience)
	if p.failure != nil {
		blame(results, p.failure)
	}
}

// carryOut starts tries and settles each, at the earliest when nothing has come for as long as the patience. The lock is held.
func (p *Prober) carryOut(ctx context.Context, v *netns.Visitor, tries []*try, patience time.Duration) {
	p.collect() // what is late must not stand for what comes
	for _, t := range tries {
		t.started = time.Now()
		if err := p.start(v, t); err != nil {
			p.settle(t, err)
		}
	}
	err := p.await(ctx, tries, patience)
	for _, t := range tries {
		if !t.settled {
			p.giveUp(t, err)
		}
	}
	p.dismiss()
}

// await carries the tries on as their packets arrive, and returns when all are settled, or when a marker that was sent
// after the last packet of ours has come twice, with a grace between, and brought nothing. Packets that are held back on their way are no
// part of that order: for them nothing may have come for as long as the patience.
func (p *Prober) await(ctx context.Context, tries []*try, patience time.Duration) error {
	quiet, reached := time.Now(), p.reached
	deadline := quiet.Add(p.wait)
	last := false
	for {
		if p.marker != nil {
			if err := p.marker.pass(); err != nil {
				return err
			}
		}
		moved, open := p.collect(), false
		for _, t := range tries {
			if !t.settled {
				advanced := p.advance(t)
				moved, open = moved || advanced, open || !t.settled
				if advanced {
					quiet = time.Now()
				}
			}
		}
		if p.reached != reached { // a stream's packets are no sign of life of the tries
			quiet, reached = time.Now(), p.reached
		}
		switch {
		case !open:
			return nil
		case moved:
			last = false
			continue
		case ctx.Err() != nil:
			return fmt.Errorf("connect: %w", context.Cause(ctx))
		case time.Since(quiet) < patience:
			time.Sleep(grace)
			continue
		case last && (p.marker != nil || time.Now().After(deadline)):
			return nil
		}
		last = p.marker != nil || time.Now().After(deadline)
		time.Sleep(grace)
	}
}

// enter brings the visitor to where the flow begins.
func (p *Prober) enter(v *netns.Visitor, t *try) error {
	t.from = p.node
	if t.flow.From != (workloads.Key{}) {
		pod, ok := p.pods.Namespace(t.flow.From)
		if !ok {
			return fmt.Errorf("connect from %s: pod is not plugged: %w", t.flow.From, os.ErrNotExist)
		}
		t.from = pod
	}
	if err := v.Enter(t.from); err != nil {
		return fmt.Errorf("connect from %s: %w", t.flow.From, err)
	}
	return nil
}

// start sends the flow's first packet.
func (p *Prober) start(v *netns.Visitor, t *try) error {
	if err := p.enter(v, t); err != nil {
		return err
	}
	p.token++
	t.token = p.token
	p.tries[t.token] = t
	switch t.flow.Protocol {
	case "", corev1.ProtocolTCP:
		return p.connect(t, p.portsOf(t))
	case corev1.ProtocolUDP:
		return p.send(t)
	}
	return fmt.Errorf("connect: %s: %w", t.flow.Protocol, errors.ErrUnsupported)
}

// connect begins a TCP handshake.
func (p *Prober) connect(t *try, from *ports) (err error) {
	if t.socket, err = openSocket(t.flow.To, unix.SOCK_STREAM); err != nil {
		return err
	}
	// An orderly close of a connection whose packets are dropped would linger in the kernel for minutes and keep its namespace alive.
	if err := unix.SetsockoptLinger(t.socket, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("set linger: %w", err)
	}
	if err := p.bindFresh(t, from); err != nil {
		return err
	}
	if err := unix.Connect(t.socket, sockaddr(t.flow.To, t.flow.Port)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return refusal(err)
	}
	return nil
}

// connectUDP opens a socket with a port of its own.
func (p *Prober) connectUDP(t *try) (err error) {
	if t.socket, err = openSocket(t.flow.To, unix.SOCK_DGRAM); err != nil {
		return err
	}
	if err := p.bindFresh(t, p.portsOf(t)); err != nil {
		return err
	}
	if err := unix.Connect(t.socket, sockaddr(t.flow.To, t.flow.Port)); err != nil {
		return refusal(err)
	}
	return nil
}

// send sends the flow's datagram.
func (p *Prober) send(t *try) error {
	if err := p.connectUDP(t); err != nil {
		return err
	}
	if err := t.write(t.socket); err != nil {
		return refusal(err)
	}
	t.sent = true
	return nil
}

// write sends the token; it fails with EAGAIN while a handshake is not completed, and as the handshake did.
func (t *try) write(socket int) error {
	var token [8]byte
	binary.NativeEndian.PutUint64(token[:], t.token)
	_, err := unix.Write(socket, token[:])
	return err
}

// advance does what the starting side has to do next, and reports whether there was anything.
func (p *Prober) advance(t *try) (moved bool) {
	if !t.sent {
		err := t.write(t.socket)
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		if err != nil {
			p.settle(t, refusal(err))
			return true
		}
		t.sent, t.result.Connected = true, true
		return true
	}
	token, err := readToken(t.socket)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil && t.result.Connected:
		err = fmt.Errorf("%w: %w", ErrNoAnswer, err)
	case err != nil:
		err = refusal(err)
	case token != t.token:
		err = fmt.Errorf("%w: it carries another flow's token", ErrNoAnswer)
	}
	p.settle(t, err)
	return true
}

// settle ends a try.
func (p *Prober) settle(t *try, err error) {
	t.settled = true
	t.result.Err, t.result.Took = err, time.Since(t.started)
	delete(p.tries, t.token)
	if err == nil {
		p.history.forgive(t.flow)
	}
	if t.socket >= 0 && (err != nil || !t.kept) {
		_ = closeSocket(t.socket)
	}
}

// giveUp ends a try to which nothing more can come, or that err ended.
func (p *Prober) giveUp(t *try, err error) {
	switch {
	case err != nil:
		p.settle(t, err)
	case t.result.Connected:
		p.settle(t, ErrNoAnswer)
	default:
		t.settled = true
		t.result.Err, t.result.Took = ErrDropped, time.Since(t.started)
		delete(p.tries, t.token)
		if p.history.dropped(p, t) {
			t.result.Err = ErrLate
		}
	}
}

func refusal(err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("connect: %w", err)
}
