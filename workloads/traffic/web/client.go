//go:build linux

package web

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/requests"
)

const (
	defaultTimeout = 10 * time.Second
	openers        = 2   // threads that open sockets
	mostKept       = 256 // connections of a kind that are kept for later requests
)

// Client asks single requests, from the node or from pods.
type Client struct {
	pods Namespaces
	node *netns.Namespace
	jobs chan opening
	quit chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	open   map[*stream]bool
	kept   map[route][]*stream // the newest last
	closed bool
	about  func() (int, error) // see About; nil: not known
}

// route is what a connection that is kept must have been made for.
type route struct {
	from   workloads.Key
	source netip.Addr
	to     netip.AddrPort
	tls    bool
	server string
}

// opening is a socket that is wanted.
type opening struct {
	ns     *netns.Namespace
	source netip.Addr
	to     netip.AddrPort
	result chan<- opened
}

type opened struct {
	fd  int
	err error
}

// NewClient returns a client whose node is the current network namespace. It must be closed.
func NewClient(pods Namespaces) (*Client, error) {
	node, err := netns.Current()
	if err != nil {
		return nil, fmt.Errorf("make a web client: %w", err)
	}
	c := &Client{pods: pods, node: node, jobs: make(chan opening), quit: make(chan struct{}), open: map[*stream]bool{}, kept: map[route][]*stream{}}
	for range openers {
		c.done.Go(c.opener)
	}
	return c, nil
}

// opener opens sockets on a thread that goes from namespace to namespace, and is at home between.
func (c *Client) opener() {
	_ = netns.Visit(func(v *netns.Visitor) error { // without an opener requests fail as not made, and say so
		for {
			select {
			case j := <-c.jobs:
				made := opened{-1, v.Enter(j.ns)}
				if made.err == nil {
					made.fd, made.err = connect(j.source, j.to)
				}
				err := v.Enter(c.node) // a thread inside would keep the pod's namespace
				j.result <- made
				if err != nil {
					return err
				}
			case <-c.quit:
				return nil
			}
		}
	})
}

// Close closes all connections. Requests under way fail.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	for s := range c.open {
		_ = s.Close()
	}
	c.mu.Unlock()
	close(c.quit)
	c.done.Wait()
	return c.node.Close()
}

// Release closes the connections that pods have made: a socket keeps its namespace. Requests of theirs that are under way fail as ours.
func (c *Client) Release(pods ...workloads.Key) {
	gone := map[workloads.Key]bool{}
	for _, k := range pods {
		gone[k] = true
	}
	c.drop(func(r route) bool { return gone[r.from] })
}

// Forget closes the connections that stand and are not in use, to make new ones for what is asked from now on.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r, all := range c.kept {
		for _, s := range all {
			c.end(s)
		}
		delete(c.kept, r)
	}
}

func (c *Client) drop(gone func(route) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.open {
		if gone(s.route) {
			s.released.Store(true)
			c.end(s)
		}
	}
	for r := range c.kept {
		if gone(r) {
			delete(c.kept, r)
		}
	}
}

// end closes a connection. The lock is held.
func (c *Client) end(s *stream) {
	delete(c.open, s)
	_ = s.Close()
}

// Ask makes one request, and waits for what becomes of it. A request that is not due yet is waited for.
func (c *Client) Ask(ctx context.Context, r requests.Request) requests.Answer {
	if wait := time.Until(r.Due); !r.Due.IsZero() && wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	a := requests.Answer{Due: r.Due}
	if a.Due.IsZero() {
		a.Due = time.Now()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(r.Timeout, defaultTimeout), os.ErrDeadlineExceeded)
	defer cancel()
	err := c.ask(ctx, r, &a)
	if err != nil && a.Reused && a.First.IsZero() && ctx.Err() == nil {
		a = requests.Answer{Due: a.Due, Again: true}
		c.forget(routeOf(r))
		err = c.ask(ctx, r, &a)
	}
	a.Answered = time.Now()
	if err != nil {
		a.Status, a.Why = 0, err.Error()
		a.Failure = failureIn(ctx, err)
	}
	return a
}

// failureIn is what an error means that came while ctx was as it is.
func failureIn(ctx context.Context, err error) requests.Failure {
	how := failureOf(err)
	switch {
	case how == requests.Own:
		return how
	case errors.Is(context.Cause(ctx), os.ErrDeadlineExceeded):
		return requests.TimedOut
	case ctx.Err() != nil:
		return requests.GaveUp
	}
	return how
}

// failed is an error of which is known what it means.
type failed struct {
	how requests.Failure
	err error
}

func (f *failed) Error() string { return f.err.Error() }
func (f *failed) Unwrap() error { return f.err }

func routeOf(r requests.Request) route {
	return route{r.From, r.Source, r.To, r.TLS, serverName(r)}
}

func serverName(r requests.Request) string {
	if !r.TLS {
		return ""
	}
	if r.Server != "" {
		return r.Server
	}
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// ask makes the request on a connection that stands or on a new one.
func (c *Client) ask(ctx context.Context, r requests.Request, a *requests.Answer) (err error) {
	s := c.standing(r)
	if a.Reused = s != nil; s == nil {
		if s, err = c.connect(ctx, r); err != nil {
			return err
		}
	}
	keep := false
	defer func() { c.finish(s, keep) }()
	stop := context.AfterFunc(ctx, func() { _ = s.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if r.TLS && s.tls == nil {
		s.tls = tls.Client(s, &tls.Config{ServerName: serverName(r), InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err := s.tls.HandshakeContext(ctx); err != nil {
			return handshake(err)
		}
		s.conn = s.tls
	}
	if s.tls != nil {
		if served := s.tls.ConnectionState().PeerCertificates; len(served) > 0 {
			a.Certificate = served[0].Raw
		}
	}
	keep, err = s.exchange(r, a)
	if s.released.Load() {
		err = &failed{requests.Own, errors.New("its pod was unplugged")}
	}
	keep = keep && err == nil && stop()
	return err
}

// handshake is an error of TLS, unless the connection itself failed.
func handshake(err error) error {
	if how := failureOf(err); how != requests.Other {
		return &failed{how, fmt.Errorf("TLS handshake: %w", err)}
	}
	return &failed{requests.Handshake, err}
}

// exchange sends the request and reads its answer; keep: the connection can have another.
func (s *stream) exchange(r requests.Request, a *requests.Answer) (keep bool, err error) {
	method := cmp.Or(r.Method, http.MethodGet)
	if _, err := s.conn.Write(message(r, method)); err != nil {
		return false, err
	}
	a.Sent = time.Now()
	if s.in == nil {
		s.in = bufio.NewReader(s.conn)
	}
	if _, err := s.in.Peek(1); err != nil {
		return false, err
	}
	a.First = time.Now()
	response, err := http.ReadResponse(s.in, &http.Request{Method: method})
	if err != nil {
		return false, garbled(err)
	}
	a.Size, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return false, garbled(err)
	}
	a.Status, a.Backend = response.StatusCode, response.Header.Get(backendHeader)
	return r.Keep && !response.Close, nil
}

// garbled is an error of reading an answer: of the connection, or of what came.
func garbled(err error) error {
	var system *os.SyscallError
	var path *os.PathError
	if errors.As(err, &system) || errors.As(err, &path) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return &failed{requests.Garbled, err}
}

// message is the request on the wire.
func message(r requests.Request, method string) []byte {
	out := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, cmp.Or(r.Path, "/"), cmp.Or(r.Host, r.To.String()))
	for _, h := range r.Headers {
		out = fmt.Appendf(out, "%s: %s\r\n", h.Name, h.Value)
	}
	if len(r.Body) > 0 || method == http.MethodPost || method == http.MethodPut {
		out = fmt.Appendf(out, "Content-Length: %d\r\n", len(r.Body))
	}
	if !r.Keep {
		out = append(out, "Connection: close\r\n"...)
	}
	return append(append(out, "\r\n"...), r.Body...)
}

// connect opens a connection, and waits until it stands.
func (c *Client) connect(ctx context.Context, r requests.Request) (*stream, error) {
	ns := c.node
	if r.From != (workloads.Key{}) {
		var ok bool
		if ns, ok = c.pods.Namespace(r.From); !ok {
			return nil, &failed{requests.Own, fmt.Errorf("pod %s is not plugged", r.From)}
		}
	}
	result := make(chan opened, 1)
	select {
	case c.jobs <- opening{ns, r.Source, r.To, result}:
	case <-c.quit:
		return nil, &failed{requests.Own, os.ErrClosed}
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), os.ErrDeadlineExceeded) {
			return nil, &failed{requests.Own, errors.New("no thread opened a socket in time")}
		}
		return nil, context.Cause(ctx)
	}
	made := <-result
	if made.err != nil {
		if errors.Is(made.err, os.ErrClosed) { // the namespace went meanwhile
			return nil, &failed{requests.Own, made.err}
		}
		return nil, made.err
	}
	s := &stream{File: os.NewFile(uintptr(made.fd), "tcp"), route: routeOf(r)}
	s.conn = s
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, &failed{requests.Own, errors.Join(os.ErrClosed, s.Close())}
	}
	c.open[s] = true
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = s.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.stands(); err != nil {
		c.finish(s, false)
		return nil, err
	}
	return s, nil
}

// standing is a connection that was kept; nil: there is none.
func (c *Client) standing(r requests.Request) *stream {
	if !r.Keep {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.kept[routeOf(r)]
	if len(all) == 0 {
		return nil
	}
	s := all[len(all)-1]
	c.kept[s.route] = all[:len(all)-1]
	return s
}

// finish keeps a connection, or closes it.
func (c *Client) finish(s *stream, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if keep && c.open[s] && !c.closed && len(c.kept[s.route]) < mostKept {
		c.kept[s.route] = append(c.kept[s.route], s)
		return
	}
	c.end(s)
}

// forget closes what is kept of a route.
func (c *Client) forget(r route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.kept[r] {
		c.end(s)
	}
	delete(c.kept, r)
}
