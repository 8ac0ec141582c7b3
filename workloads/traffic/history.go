//go:build linux

package traffic

import (
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

const (
	// regret is how long a flow that was judged dropped is still listened for. TCP sends its first packet anew after a second: what
	// arrives then says nothing of the verdict.
	regret = 500 * time.Millisecond
	// maxHeld bounds the sockets of such flows.
	maxHeld = 4096
)

// history remembers flows that were judged dropped, and finds out whether that was too early. The Prober's lock guards it.
type history struct {
	held   map[Flow]held
	tokens map[uint64]Flow // of what is held
	late   map[Flow]bool   // judged dropped when last tried, and arrived
	sweep  *time.Timer     // nil: nothing is held
}

// held is a try that was given up.
type held struct {
	from   *netns.Namespace
	socket int // of a TCP handshake that may still be completed; else -1
	token  uint64
	began  time.Time
}

func newHistory() history {
	return history{held: map[Flow]held{}, tokens: map[uint64]Flow{}, late: map[Flow]bool{}}
}

// dropped takes over a try that was judged dropped, and reports whether an earlier one of its flow was so too early.
func (h *history) dropped(p *Prober, t *try) (late bool) {
	if old, ok := h.held[t.flow]; ok {
		h.drop(t.flow, old)
	}
	late = h.late[t.flow]
	delete(h.late, t.flow)
	now := held{from: t.from, socket: t.socket, token: t.token, began: t.started}
	if isUDP(t.flow) || len(h.held) >= maxHeld {
		_ = closeSocket(t.socket)
		now.socket = -1
	}
	h.held[t.flow], h.tokens[t.token] = now, t.flow
	if h.sweep == nil {
		h.sweep = time.AfterFunc(regret, p.sweep)
	}
	return late
}

// completed reports whether a handshake was completed after it had been given up; of one that began long ago, that says nothing.
func (h held) completed() bool {
	if h.socket < 0 || time.Since(h.began) >= 2*regret {
		return false
	}
	_, err := unix.Getpeername(h.socket)
	return err == nil
}

// drop lets go of a try, after a last look at it.
func (h *history) drop(f Flow, was held) {
	if was.completed() {
		h.late[f] = true
	}
	if was.socket >= 0 {
		_ = closeSocket(was.socket)
	}
	delete(h.held, f)
	delete(h.tokens, was.token)
}

// arrived notes a token that belongs to no flow under way.
func (h *history) arrived(token uint64) {
	if f, ok := h.tokens[token]; ok {
		h.late[f] = true
	}
}

// forgive forgets that a flow was once judged too early, because it has succeeded.
func (h *history) forgive(f Flow) {
	if old, ok := h.held[f]; ok {
		h.drop(f, old)
	}
	delete(h.late, f)
}

func (h *history) lateFlows() []Flow {
	for f, was := range h.held {
		if was.completed() {
			h.late[f] = true
		}
	}
	return slices.Collect(maps.Keys(h.late))
}

func (h *history) release(ns *netns.Namespace) {
	for f, was := range h.held {
		if was.from == ns {
			h.drop(f, was)
		}
	}
}

func (h *history) close() {
	for f, was := range h.held {
		h.drop(f, was)
	}
	if h.sweep != nil {
		h.sweep.Stop()
	}
}

// sweep lets go of what was judged long enough ago.
func (p *Prober) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.collect()
	p.dismiss()
	h := &p.history
	for f, was := range h.held {
		if time.Since(was.began) >= regret {
			h.drop(f, was)
		}
	}
	if h.sweep = nil; len(h.held) > 0 {
		h.sweep = time.AfterFunc(regret/5, p.sweep)
	}
}
