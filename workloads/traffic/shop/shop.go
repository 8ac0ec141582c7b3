// Package shop is a small HTTP service that sells, and customers who are impatient: they ask again if they have no answer in time, as
// people and libraries do. An order that names an idempotency key is sold once, however often it comes.
//
// It knows no namespace: who opens a shop brings the listener, and who buys brings the way to dial. All types are safe for concurrent use.
package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Event is a thing that happened to an order.
type Event struct {
	At    time.Time
	Order string
	What  What
	Ask   int // which request of the order it is about, from 1
}

// What happened.
type What string

// What can happen to an order.
const (
	Asked    What = "asks to buy"
	GaveUp   What = "gives up waiting"
	Receipt  What = "has the receipt"
	Sold     What = "is sold"
	Repeated What = "is known by its key, and not sold again"
)

const (
	keyHeader   = "Idempotency-Key"
	orderHeader = "X-Order"
	askHeader   = "X-Ask"
)

// Shop sells whatever is asked for.
type Shop struct {
	server *http.Server
	work   time.Duration
	served chan error

	mu     sync.Mutex
	events []Event
	keys   map[string]bool
}

// Open opens a shop that takes some time over each order before it is sold. It must be closed, and closes the listener.
func Open(l net.Listener, work time.Duration) *Shop {
	s := &Shop{work: work, served: make(chan error, 1), keys: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })
	mux.HandleFunc("POST /buy", s.buy)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { s.served <- s.server.Serve(l) }()
	return s
}

// buy sells. That the customer has gone meanwhile keeps no shop from it.
func (s *Shop) buy(w http.ResponseWriter, r *http.Request) {
	e := Event{Order: r.Header.Get(orderHeader), What: Sold}
	if _, err := fmt.Sscan(r.Header.Get(askHeader), &e.Ask); err != nil {
		http.Error(w, "which request of the order is it?", http.StatusBadRequest)
		return
	}
	time.Sleep(s.work)
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := r.Header.Get(keyHeader); key != "" {
		if s.keys[key] {
			e.What = Repeated
		}
		s.keys[key] = true
	}
	e.At = time.Now()
	s.events = append(s.events, e)
	fmt.Fprintln(w, "thank you")
}

// Close closes the shop at once, with all its connections, and returns what it did, in order.
func (s *Shop) Close() ([]Event, error) {
	err := s.server.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), err
}

// Customer wants one order.
type Customer struct {
	Order    string
	Key      string        // of idempotency; empty: the order is sent without one
	Patience time.Duration // for an answer
	Pause    time.Duration // before it asks again
	Most     int           // requests
	Dial     func(ctx context.Context) (net.Conn, error)

	client *http.Client
}

// Enter connects to the shop and looks around, so that what is asked next goes on a connection that stands.
func (c *Customer) Enter(ctx context.Context) error {
	c.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx) }, MaxIdleConnsPerHost: 1,
	}}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shop/", nil)
	if err == nil {
		_, err = c.do(r)
	}
	if err != nil {
		return fmt.Errorf("enter the shop: %w", err)
	}
	return nil
}

// Leave closes the connections that stand. A customer who never entered has none.
func (c *Customer) Leave() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

// Buy asks until there is a receipt or the most was asked, and returns what happened. Enter must have been called.
func (c *Customer) Buy(ctx context.Context) (events []Event) {
	note := func(what What, ask int) { events = append(events, Event{time.Now(), c.Order, what, ask}) }
	for ask := 1; ask <= c.Most && ctx.Err() == nil; ask++ {
		note(Asked, ask)
		if err := c.ask(ctx, ask); err == nil {
			note(Receipt, ask)
			return events
		}
		note(GaveUp, ask)
		select {
		case <-time.After(c.Pause):
		case <-ctx.Done():
		}
	}
	return events
}

func (c *Customer) ask(ctx context.Context, ask int) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shop/buy", nil)
	if err != nil {
		return err
	}
	r.Header.Set(orderHeader, c.Order)
	r.Header.Set(askHeader, fmt.Sprint(ask))
	if c.Key != "" {
		r.Header.Set(keyHeader, c.Key)
	}
	status, err := c.do(r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

func (c *Customer) do(r *http.Request) (status int, err error) {
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// Times is how often something happened to an order.
func Times(events []Event, order string, what What) (n int) {
	for _, e := range events {
		if e.Order == order && e.What == what {
			n++
		}
	}
	return n
}

// Story is what happened to an order, in order.
func Story(events []Event, order string) (story []Event) {
	for _, e := range events {
		if e.Order == order {
			story = append(story, e)
		}
	}
	slices.SortStableFunc(story, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Ask, b.Ask)) })
	return story
}
