//go:build linux

package traffic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

// Conversation is flows on which both ends talk: a Stream sends numbered messages on them, by TCP or UDP, and their receivers send each
// back. So conntrack holds them to be established, and what becomes of a message is what becomes of established flows.
type Conversation struct {
	stream *Stream
	tracks []*track
}

// Converse begins a conversation on flows, with a message each interval on each. Every flow must succeed first as one that is probed does:
// else the error is that of its Result, wrapped, and there is none. It must be ended before the Stream is. Release of the namespace from
// which a flow comes ends that flow.
func (s *Stream) Converse(ctx context.Context, flows []Flow, interval time.Duration) (*Conversation, error) {
	p := s.prober
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("converse: %w", os.ErrClosed)
	}
	if interval <= 0 {
		return nil, fmt.Errorf("converse each %v: the interval must be above zero", interval)
	}
	var tries []*try
	for _, f := range flows {
		tries = append(tries, &try{flow: f, result: &Result{}, socket: -1, kept: true})
	}
	err := netns.Visit(func(v *netns.Visitor) error {
		unpin, err := pin()
		if err != nil {
			return err
		}
		p.carryOut(ctx, v, tries, 0)
		return unpin()
	})
	err = errors.Join(err, p.failure)
	c := &Conversation{stream: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tries {
		switch {
		case t.result.Err != nil:
			err = errors.Join(err, fmt.Errorf("converse: %s to %s by %s: %w", t.flow.From, t.flow.To, t.flow.Protocol, t.result.Err))
		case t.settled:
			track := newTrack(t.flow, t.token, t, interval)
			s.talks[t.token] = track
			c.tracks = append(c.tracks, track)
		}
	}
	if err != nil {
		for _, t := range c.tracks {
			s.leave(t)
		}
		return nil, err
	}
	return c, nil
}

// Said returns how many messages have been sent, and how many have come back so far, on the flow with the fewest.
func (c *Conversation) Said() (sent, back int) {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, back = math.MaxInt, math.MaxInt
	for _, t := range c.tracks {
		s.hear(t)
		came := 0
		for _, d := range t.sent {
			if !d.Received.IsZero() {
				came++
			}
		}
		sent, back = min(sent, len(t.sent)), min(back, came)
	}
	return sent, back
}

// End stops the messages and returns, in the order of the flows, what became of each once that is certain. It must be called once.
func (c *Conversation) End() [][]Datagram {
	s := c.stream
	s.mu.Lock()
	for _, t := range c.tracks {
		t.due = math.MaxInt64
	}
	s.mu.Unlock()
	time.Sleep(s.certain)
	s.mu.Lock()
	defer s.mu.Unlock()
	var said [][]Datagram
	for _, t := range c.tracks {
		s.hear(t)
		said = append(said, t.sent)
		t.sent = nil
		if !isUDP(t.flow) {
			s.leave(t)
		} // else its port stays taken until its namespace goes: conntrack remembers an established flow for two minutes
	}
	return said
}

// leave closes the sending end of a flow. The lock is held.
func (s *Stream) leave(t *track) {
	if t.socket >= 0 {
		_ = closeSocket(t.socket)
	}
	t.socket, t.due = -1, math.MaxInt64
	delete(s.talks, t.token)
}

// say sends a message.
func (s *Stream) say(t *track) {
	s.send(t)
	if last := len(t.sent) - 1; errors.Is(t.sent[last].Err, unix.EAGAIN) { // TCP holds so many back that it takes no more
		t.sent = t.sent[:last]
	}
}

// hear notes which messages came back.
func (s *Stream) hear(t *track) {
	for t.socket >= 0 && len(t.sent) > 0 {
		var data [64 * streamSize]byte
		size := streamSize
		if !isUDP(t.flow) {
			size = len(data)
		}
		n, err := unix.Read(t.socket, data[:size])
		if err != nil || n == 0 {
			return
		}
		now := s.time(monotonic())
		if isUDP(t.flow) {
			if number := binary.NativeEndian.Uint64(data[8:]); n == streamSize && number < uint64(len(t.sent)) {
				t.sent[number].Received = now
			}
			continue
		}
		// TCP keeps the order, so it is enough to count.
		for first := t.heard / streamSize; first < (t.heard+n)/streamSize && first < len(t.sent); first++ {
			t.sent[first].Received = now
		}
		t.heard += n
	}
}

// keep makes an accepted connection answer until its other side closes it, or Release.
func (p *Prober) keep(a *accepted) {
	a.space.receivers = append(a.space.receivers, a.socket)
	if err := p.watch(&receiver{a.socket, a.space, p.echo}); err != nil {
		p.fail(fmt.Errorf("answer: %w", err))
	}
	a.socket = -1
}

// echo sends back what came on a connection.
func (p *Prober) echo(r *receiver) bool {
	var data [64 * streamSize]byte
	n, err := unix.Read(r.socket, data[:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case errors.Is(err, unix.EINTR):
		return true
	case err != nil || n == 0:
		r.space.receivers = slices.DeleteFunc(r.space.receivers, func(socket int) bool { return socket == r.socket })
		_ = p.closeReceivers([]int{r.socket})
		return false
	}
	_, _ = unix.Write(r.socket, data[:n]) // the other side sees what becomes of it
	return true
}
