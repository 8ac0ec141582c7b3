// Package ui is the page on which a user sees a cluster that is steered, and steers it: a server on this machine's loopback, and what the
// browser gets of it.
//
// It owns the page and who may use it: whoever knows the token in its address, and nobody else. What is done and how all stands it has from a
// steer.Session at the other end of a connection; it knows no environment. Nothing of it refers to the outside. A Page is safe for concurrent
// use.
package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nodefv/nodefv/scenarios/steer"
)

// About is what is steered, for the page to say.
type About struct {
	Run     string        `json:"run"`
	Target  string        `json:"target"`
	Version string        `json:"version"`
	Stage   steer.Stage   `json:"stage"`
	Churns  []ChurnChoice `json:"churns"`
}

// ChurnChoice is a kind of churn that can be started.
type ChurnChoice struct {
	Kind string `json:"kind"`
	Doc  string `json:"doc"`
}

// mostGauges are kept for a page that is opened later: ten minutes.
const mostGauges = 600

// Page is the page of one session.
type Page struct {
	about   About
	session io.ReadWriteCloser

	writing sync.Mutex // of requests

	mu        sync.Mutex
	next      uint64
	waiting   map[uint64]chan steer.Answer
	readers   map[chan steer.Message]bool
	state     *steer.State
	entries   []steer.Entry
	gauges    []steer.Gauges
	ended     chan struct{}
	endReason error
}

// New takes the near end of a connection to a session, and reads it until it ends.
func New(about About, session io.ReadWriteCloser) *Page {
	p := &Page{about: about, session: session, waiting: map[uint64]chan steer.Answer{}, readers: map[chan steer.Message]bool{}, ended: make(chan struct{})}
	go p.read()
	return p
}

// Ended is closed once the session has ended.
func (p *Page) Ended() <-chan struct{} { return p.ended }

// Entries returns what was done so far.
func (p *Page) Entries() []steer.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]steer.Entry(nil), p.entries...)
}

func (p *Page) read() {
	messages := json.NewDecoder(p.session)
	for {
		var m steer.Message
		if err := messages.Decode(&m); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.endReason = err
			close(p.ended)
			return
		}
		p.take(m)
	}
}

func (p *Page) take(m steer.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m.Answer != nil:
		if wait := p.waiting[m.Answer.ID]; wait != nil {
			delete(p.waiting, m.Answer.ID)
			wait <- *m.Answer
		}
		return
	case m.State != nil:
		p.state = m.State
	case m.Entry != nil:
		p.entries = append(p.entries, *m.Entry)
	case m.Gauges != nil:
		if p.gauges = append(p.gauges, *m.Gauges); len(p.gauges) > mostGauges {
			p.gauges = p.gauges[1:]
		}
	}
	for r := range p.readers {
		select {
		case r <- m:
		default: // it does not read: it is told anew when it comes back
			delete(p.readers, r)
			close(r)
		}
	}
}

// follow returns what has been told so far, and what will be; the channel is closed if it is not read. The function ends it.
func (p *Page) follow() (so []steer.Message, news chan steer.Message, end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != nil {
		so = append(so, steer.Message{State: p.state})
	}
	for i := range p.entries {
		so = append(so, steer.Message{Entry: &p.entries[i]})
	}
	for i := range p.gauges {
		so = append(so, steer.Message{Gauges: &p.gauges[i]})
	}
	news = make(chan steer.Message, 64)
	p.readers[news] = true
	return so, news, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.readers, news)
	}
}

// errEnded is what becomes of an order after the end of the session.
var errEnded = errors.New("the session has ended")

// Order has an order carried out, and returns what the session says of it.
func (p *Page) Order(ctx context.Context, o steer.Order) error {
	p.mu.Lock()
	p.next++
	id, wait := p.next, make(chan steer.Answer, 1)
	p.waiting[id] = wait
	p.mu.Unlock()
	if err := p.ask(steer.Request{ID: id, Order: &o}); err != nil {
		return err
	}
	select {
	case a := <-wait:
		if a.Error != "" {
			return errors.New(a.Error)
		}
		return nil
	case <-p.ended:
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End asks the session to end.
func (p *Page) End() error { return p.ask(steer.Request{}) }

func (p *Page) ask(r steer.Request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if _, err := p.session.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return nil
}
