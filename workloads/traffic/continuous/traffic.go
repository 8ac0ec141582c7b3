//go:build linux

// Package continuous makes continuous traffic between workloads and accounts for every message of it.
//
// It owns both ends of each connection: clients that send numbered messages when they are due, whatever became of those
// before, and servers that answer each. So a message that is lost is known to be lost on the way there or back, and
// latency counts from when it was due. One thread of its own does it all. It does not say what traffic should become of:
// that is for who reads the load.Report. It needs root. Traffic is safe for concurrent use.
package continuous

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns"
)

const (
	tidyEvery = 10 * time.Millisecond // how often accounts are settled
	batch     = 64                    // messages that are sent before arrivals are looked at, when late
)

// Namespaces finds the namespace of a plugged pod; *netns.Plugger does.
type Namespaces interface {
	Namespace(pod workloads.Key) (*netns.Namespace, bool)
}

// Traffic is traffic under way.
type Traffic struct {
	spec    load.Spec
	format  format
	pods    Namespaces
	node    *netns.Namespace
	poll    int
	wake    int // an eventfd
	done    chan struct{}
	visitor *netns.Visitor
	home    *netns.Namespace

	capacity float64 // see load.Report

	// The thread's own.
	handlers        []handler // by descriptor
	clients         []*client // all that were begun
	slots           []*client // the present one of each of Spec.Connections; nil: not begun yet
	begun           int       // of the slots
	waiting         []retry   // those to be begun again, the first first
	start           time.Time
	loadBegan       int64 // when the first message is due; 0: connections are still begun
	sent            uint64
	until           int64 // what is due before that is sent
	ending          bool
	endedAt, endsAt int64 // when it began no more, and when it gives up waiting for answers
	tidyAt          int64
	sampleAt        int64
	standing        int
	failed          int
	buffer, scratch []byte
	away            []netip.Addr // of servers that were retired
	rand            *rand.Rand

	orders chan func() // for the thread

	latencies, lateness, connects *metrics.Histogram
	series                        series

	mu      sync.Mutex
	samples []load.Sample
	stop    bool
	closed  bool // there is nobody to wake
	failure error
	report  load.Report
}

// handler is called when something can be done with its descriptor.
type handler interface{ ready(events uint32) }

type retry struct {
	at int64
	of *client
}

// Start begins traffic. The node is the current network namespace. Stop or Wait must be called, and ends it when ctx is
// done as well.
func Start(ctx context.Context, pods Namespaces, spec load.Spec) (*Traffic, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	l := &Traffic{spec: spec.WithDefaults(), pods: pods, poll: -1, wake: -1, done: make(chan struct{}), start: time.Now(), until: math.MaxInt64,
		latencies: newHistogram(), lateness: newHistogram(), connects: newHistogram(), buffer: make([]byte, 64<<10),
		orders: make(chan func(), 1), rand: rand.New(rand.NewPCG(spec.Seed, 0)), series: newSeries(len(spec.Servers))}
	l.format = format{l.spec.Protocol, l.spec.Size}
	if spec.Capacity {
		var err error
		if l.capacity, err = tryCapacity(ctx, pods, spec); err != nil {
			return nil, err
		}
		l.start = time.Now()
	}
	err := l.open()
	if err != nil {
		return nil, fmt.Errorf("start traffic: %w", errors.Join(err, l.close()))
	}
	stopped := context.AfterFunc(ctx, l.halt)
	started := make(chan error, 1)
	go func() {
		defer close(l.done)
		defer stopped()
		err := netns.Visit(func(v *netns.Visitor) error {
			if !spec.Closed { // one that sends as fast as it goes would leave others nothing
				runtime.LockOSThread() // for good: the thread ends with its priority
				netns.Hurry()
			}
			_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // so that waits are exact
			defer unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
			l.visitor = v
			err := l.listenAll()
			started <- err
			if err != nil {
				return err
			}
			return l.run()
		})
		select {
		case started <- err: // the thread could not even begin
		default:
		}
		l.finish(err)
	}()
	if err := <-started; err != nil {
		<-l.done
		return nil, fmt.Errorf("start traffic: %w", err)
	}
	return l, nil
}

// open makes what the thread needs.
func (l *Traffic) open() (err error) {
	ends := 2 // of each connection
	if l.spec.Protocol == load.UDP {
		ends = 1
	}
	if err := enoughDescriptors(ends * l.spec.Connections); err != nil {
		return err
	}
	if l.node, err = netns.Current(); err != nil {
		return err
	}
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("open epoll: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("open eventfd: %w", err)
	}
	l.slots = make([]*client, l.spec.Connections)
	return l.watch(l.wake, waker(l.wake), unix.EPOLLIN)
}

// waker is the eventfd, which rouses once for each time that it is written to.
type waker int

func (w waker) ready(uint32) { _, _ = unix.Read(int(w), make([]byte, 8)) }

// Run makes traffic until its duration is over or ctx is done, and says what became of it.
func Run(ctx context.Context, pods Namespaces, spec load.Spec) (load.Report, error) {
	l, err := Start(ctx, pods, spec)
	if err != nil {
		return load.Report{}, err
	}
	return l.Wait()
}

// tryCapacity says how many messages a second such traffic could be at most here: it is tried for a fifth of a second, in
// a closed loop on at most 16 connections.
func tryCapacity(ctx context.Context, pods Namespaces, spec load.Spec) (float64, error) {
	spec = spec.WithDefaults()
	spec.Capacity, spec.Closed, spec.Idle, spec.Reconnects, spec.Duration = false, true, false, 0, 200*time.Millisecond
	spec.Connections = min(spec.Connections, 16)
	spec.GiveUp = 50 * time.Millisecond
	r, err := Run(ctx, pods, spec)
	if err != nil {
		return 0, fmt.Errorf("try capacity: %w", err)
	}
	return float64(r.Count.Back.Arrived) / spec.Duration.Seconds(), nil
}

// Stop ends the traffic and says what became of it. It waits for answers that are under way, at most Spec.GiveUp.
func (l *Traffic) Stop() (load.Report, error) {
	l.halt()
	return l.Wait()
}

// Wait waits for the end of the traffic, and says what became of it.
func (l *Traffic) Wait() (load.Report, error) {
	<-l.done
	return l.report, l.failure
}

// Recent returns the samples of the last time, with the one before; none once the traffic is over.
func (l *Traffic) Recent(last time.Duration) []load.Sample {
	select {
	case <-l.done:
		return nil
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.samples[max(0, len(l.samples)-int(last/load.SampleEvery)-1):])
}

func (l *Traffic) halt() {
	l.mu.Lock()
	l.stop = true
	l.mu.Unlock()
	l.rouse()
}

// rouse has the thread look at what it is to do.
func (l *Traffic) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed { // else its number may be another file's
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1})
	}
}

// now is the time since the start, and never 0.
func (l *Traffic) now() int64 { return int64(time.Since(l.start)) + 1 }

func (l *Traffic) wall(at int64) time.Time { return l.start.Add(time.Duration(at - 1)) }

// inside runs fn in a pod's namespace.
func (l *Traffic) inside(pod workloads.Key, fn func() error) error {
	ns := l.node
	if pod != (workloads.Key{}) {
		var ok bool
		if ns, ok = l.pods.Namespace(pod); !ok {
			return fmt.Errorf("pod %s is not plugged", pod)
		}
	}
	if ns != l.home {
		if err := l.visitor.Enter(ns); err != nil {
			return err
		}
		l.home = ns
	}
	return fn()
}

func (l *Traffic) watch(fd int, h handler, events uint32) error {
	for len(l.handlers) <= fd {
		l.handlers = append(l.handlers, make([]handler, fd+1)...)
	}
	l.handlers[fd] = h
	return os.NewSyscallError("epoll", unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// rewatch says whether the handler is to be called when the socket takes more as well.
func (l *Traffic) rewatch(fd int, writable bool) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if writable {
		events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll", unix.EpollCtl(l.poll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

func (l *Traffic) closeSocket(fd int) {
	if fd < len(l.handlers) {
		l.handlers[fd] = nil
	}
	_ = unix.Close(fd)
}

// fail notes why what is said since may not be true: the first reason counts.
func (l *Traffic) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = fmt.Errorf("traffic: %w", err)
	}
}

func (l *Traffic) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop || l.failure != nil
}

func (l *Traffic) connection(index uint32) *client {
	if int(index) < len(l.clients) {
		return l.clients[index]
	}
	return nil
}

// close closes all that is open.
func (l *Traffic) close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for fd, h := range l.handlers {
		if h != nil && fd != l.wake {
			_ = unix.Close(fd)
		}
	}
	for _, fd := range []int{l.wake, l.poll} {
		if fd >= 0 {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	if l.node != nil {
		err = errors.Join(err, l.node.Close())
	}
	return err
}
