//go:build linux

// Package traffic makes TCP connections between local workloads and tells what became of them.
//
// It owns both ends: the listeners inside the workloads' namespaces and the connections to them. It does not know which
// connections should succeed. It needs root. A Prober is safe for concurrent use.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

const (
	// DefaultWait is how long a flow may take. It is shorter than the second after which TCP sends its first packet anew,
	// so a flow stands for one attempt.
	DefaultWait = 300 * time.Millisecond
	// inFlight keeps a big round, with both ends of each flow, below the usual limit on descriptors.
	inFlight = 4096
)

// What becomes of a flow that does not succeed; every other error, such as an ICMP answer, is the kernel's own.
var (
	ErrRefused  = errors.New("connection refused")
	ErrDropped  = errors.New("no answer to the connection request")
	ErrNoAnswer = errors.New("connected, but no data came")
)

// Flow is a TCP connection to be tried.
type Flow struct {
	From workloads.Key // the pod that connects; the zero Key is the node itself
	To   netip.Addr
	Port uint16
}

// Result is what became of a Flow.
type Result struct {
	Connected  bool       // the handshake was completed
	SourceSeen netip.Addr // the address that the acceptor saw; invalid unless its answer came
	Took       time.Duration
	Err        error // nil if the answer came; ErrRefused, ErrDropped, ErrNoAnswer or another, wrapped
}

// Namespaces finds the namespace of a plugged pod; *netns.Plugger does.
type Namespaces interface {
	Namespace(pod workloads.Key) (*netns.Namespace, bool)
}

// Prober tries flows and answers them.
type Prober struct {
	pods Namespaces
	node *netns.Namespace
	wait time.Duration
	room *semaphore.Weighted

	served sync.WaitGroup // acceptors and answers

	mu        sync.Mutex
	listeners map[*netns.Namespace][]net.Listener
	accepted  map[net.Conn]struct{}
	failure   error // of an acceptor
	closed    bool
}

// New returns a Prober whose node is the current network namespace and whose flows may take wait each; zero means
// DefaultWait. It must be closed.
func New(pods Namespaces, wait time.Duration) (*Prober, error) {
	node, err := netns.Current()
	if err != nil {
		return nil, fmt.Errorf("start prober: %w", err)
	}
	if wait <= 0 {
		wait = DefaultWait
	}
	return &Prober{
		pods: pods, node: node, wait: wait, room: semaphore.NewWeighted(inFlight),
		listeners: map[*netns.Namespace][]net.Listener{}, accepted: map[net.Conn]struct{}{},
	}, nil
}

// Probe tries all flows at once, up to 4,096 in flight, and returns their results in the same order. Each takes at most
// the Prober's wait; when ctx is done those under way fail with its cause. If an acceptor failed, every result without
// an answer carries its error as well, for then the listener may be at fault.
func (p *Prober) Probe(ctx context.Context, flows []Flow) []Result {
	results := make([]Result, len(flows))
	var waiting sync.WaitGroup
	err := netns.Visit(func(v *netns.Visitor) error {
		for i, flow := range flows {
			if err := p.room.Acquire(ctx, 1); err != nil {
				results[i].Err = fmt.Errorf("connect: %w", context.Cause(ctx))
				continue
			}
			started := time.Now()
			socket, err := p.connect(v, flow)
			if err != nil {
				p.room.Release(1)
				results[i] = Result{Took: time.Since(started), Err: err}
				continue
			}
			waiting.Go(func() {
				defer p.room.Release(1)
				results[i] = await(ctx, socket, started.Add(p.wait))
				results[i].Took = time.Since(started)
			})
		}
		return nil
	})
	waiting.Wait()
	p.blame(results, err)
	return results
}

// blame adds errors of the prober's own to results that they may have caused.
func (p *Prober) blame(results []Result, visit error) {
	p.mu.Lock()
	own := errors.Join(visit, p.failure)
	p.mu.Unlock()
	if own == nil {
		return
	}
	for i := range results {
		if !results[i].SourceSeen.IsValid() {
			results[i].Err = errors.Join(results[i].Err, own)
		}
	}
}

// connect starts the flow's connection on the visitor's thread.
func (p *Prober) connect(v *netns.Visitor, flow Flow) (*os.File, error) {
	ns := p.node
	if flow.From != (workloads.Key{}) {
		pod, ok := p.pods.Namespace(flow.From)
		if !ok {
			return nil, fmt.Errorf("connect from %s: pod is not plugged: %w", flow.From, os.ErrNotExist)
		}
		ns = pod
	}
	if err := v.Enter(ns); err != nil {
		return nil, fmt.Errorf("connect from %s: %w", flow.From, err)
	}
	to := flow.To.Unmap()
	domain, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(flow.Port), Addr: to.As16()})
	if to.Is4() {
		domain, address = unix.AF_INET, &unix.SockaddrInet4{Port: int(flow.Port), Addr: to.As4()}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	// As for abort: the socket must not outlive its descriptor.
	err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err == nil {
		err = unix.Connect(fd, address)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return nil, refusal(err)
	}
	return os.NewFile(uintptr(fd), "flow"), nil
}

// await reads the acceptor's answer. While a connection is not made a read would block, and if it fails the read returns
// why: no other call is needed.
func await(ctx context.Context, socket *os.File, deadline time.Time) Result {
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Now()) })
	defer stop()
	err := socket.SetReadDeadline(deadline)
	if err == nil && ctx.Err() != nil { // the line above may have undone AfterFunc's
		err = os.ErrDeadlineExceeded
	}
	var answer [64]byte
	n := 0
	if err == nil {
		n, err = socket.Read(answer[:])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		n, err = readNow(socket, answer[:]) // on a busy machine the answer may be there and this goroutine late
	}
	if err == nil {
		seen, err := netip.ParseAddrPort(string(answer[:max(n-1, 0)]))
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		return Result{Connected: true, SourceSeen: seen.Addr().Unmap(), Err: err}
	}
	// A reset during the handshake is a refusal, a later one has its own error.
	connected := established(socket) || errors.Is(err, unix.ECONNRESET)
	switch {
	case ctx.Err() != nil:
		return Result{Connected: connected, Err: fmt.Errorf("connect: %w", context.Cause(ctx))}
	case connected:
		return Result{Connected: true, Err: fmt.Errorf("%w: %w", ErrNoAnswer, err)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Result{Err: ErrDropped}
	}
	return Result{Err: refusal(err)}
}

// readNow reads what the kernel has got; os.ErrDeadlineExceeded means nothing yet.
func readNow(socket *os.File, buffer []byte) (n int, err error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buffer) })
	switch {
	case controlErr != nil:
		return 0, controlErr
	case errors.Is(err, unix.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}

func established(socket *os.File) bool {
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	peer := unix.ENOTCONN
	_ = raw.Control(func(fd uintptr) {
		if _, err := unix.Getpeername(int(fd)); err == nil {
			peer = 0
		}
	})
	return peer == 0
}

func refusal(err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("connect: %w", err)
}

func (p *Prober) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = err
	}
}

// Close closes every listener and connection and waits until all are closed. It returns an acceptor's failure, if there
// was one.
func (p *Prober) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	errs := p.failure
	for _, listeners := range p.listeners {
		errs = errors.Join(errs, closeListeners(listeners))
	}
	for conn := range p.accepted {
		_ = conn.SetDeadline(time.Now()) // answer closes it
	}
	p.mu.Unlock()
	p.served.Wait()
	return errors.Join(errs, p.node.Close())
}
