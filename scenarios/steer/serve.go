package steer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
)

const (
	// stateEvery is how often a session tells how all stands.
	stateEvery = 500 * time.Millisecond
	// reachBound is how long a session waits for who steers it.
	reachBound = time.Minute
	// writeBound is how long who steers may leave a message unread.
	writeBound = 10 * time.Second
)

// Serve lets one client, over one connection of a listener, steer a world, until the client asks for the end or is gone. Gauges are passed
// on as they come.
func Serve(ctx context.Context, w *engine.World, listener *net.UnixListener, gauges <-chan Gauges) (err error) {
	_ = listener.SetDeadline(time.Now().Add(reachBound))
	unwait := context.AfterFunc(ctx, func() { _ = listener.Close() })
	conn, err := listener.Accept()
	unwait()
	if err != nil {
		return fmt.Errorf("wait for who steers: %w", errors.Join(context.Cause(ctx), err))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	c := &client{conn: conn, lost: cancel}
	s := Open(ctx, w, func(e Entry) { c.say(Message{Entry: &e}) })
	defer func() { err = errors.Join(err, s.Close()) }()
	told := make(chan struct{})
	go func() {
		defer close(told)
		c.report(ctx, s, gauges)
	}()
	err = c.obey(ctx, s)
	cancel(nil)
	<-told
	return err
}

// client is who steers.
type client struct {
	mu   sync.Mutex
	conn net.Conn
	lost context.CancelCauseFunc
}

// errGone ends a session whose client does not read.
var errGone = errors.New("who steers is gone")

func (c *client) say(m Message) {
	line, err := json.Marshal(m)
	if err != nil {
		line, _ = json.Marshal(Message{State: &State{Trouble: err.Error()}})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeBound))
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		c.lost(errGone)
	}
}

// obey carries requests out, one after the other, until there are no more.
func (c *client) obey(ctx context.Context, s *Session) error {
	requests := json.NewDecoder(c.conn)
	for {
		var r Request
		err := requests.Decode(&r)
		switch {
		case context.Cause(ctx) == errGone || errors.Is(err, io.EOF):
			return nil // the end of a client is that of its session
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("read an order: %w", err)
		case r.Order == nil:
			return nil
		}
		answer := Answer{ID: r.ID}
		if err := s.Carry(ctx, *r.Order); err != nil {
			answer.Error = err.Error()
		}
		c.say(Message{Answer: &answer})
	}
}

// report tells how all stands until ctx ends.
func (c *client) report(ctx context.Context, s *Session, gauges <-chan Gauges) {
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case g := <-gauges:
			c.say(Message{Gauges: &g})
		case <-tick.C:
			state := s.Look()
			c.say(Message{State: &state})
		}
	}
}
