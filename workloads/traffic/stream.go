//go:build linux

package traffic

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
)

// maxStreams bounds the flows of a Stream.
const maxStreams = 200

// Stream sends a numbered datagram on each of its flows again and again, from one thread with absolute deadlines, and notes when each was
// sent and when it arrived. The datagrams go one way and are never answered, so conntrack never holds a flow to be established: each
// of them is judged by the policies that are in force when it passes. Times are of CLOCK_MONOTONIC, in nanoseconds.
type Stream struct {
	prober   *Prober
	interval time.Duration
	tracks   []*Track
	sockets  []int
	record   Record // but for Tracks
	stop     chan struct{}
	done     sync.WaitGroup
	err      error
}

// Track is what became of one flow of a Stream. Its slices have an element for each datagram, in the order of sending.
type Track struct {
	Flow     Flow
	Sent     []int64 // when it was given to the kernel
	Received []int64 // when the receiver's socket had it; 0: it did not arrive
	Errors   []Refusal
	token    uint64
}

// Refusal is a datagram that the kernel would not send.
type Refusal struct {
	Number int
	Err    error
}

// Record is what a Stream has seen.
type Record struct {
	Tracks   []Track
	Lateness []time.Duration // of each round of datagrams, against its deadline
	Missed   int             // rounds left out because the one before was so late
}

// streamSize is the length of a stream's datagram: the flow's token, and its number.
const streamSize = 16

// Stream begins to send on the flows, all of them UDP, each interval. The ports must be listened on (see Listen). There are up to
// 200 flows; an hour of one at 1 kHz takes 60 MB.
func (p *Prober) Stream(flows []Flow, interval time.Duration) (s *Stream, err error) {
	if len(flows) > maxStreams || interval <= 0 {
		return nil, fmt.Errorf("stream %d flows each %v: at most %d, and a time", len(flows), interval, maxStreams)
	}
	s = &Stream{prober: p, interval: interval, stop: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	err = netns.Visit(func(v *netns.Visitor) error {
		for _, f := range flows {
			if err := s.open(v, f); err != nil {
				return fmt.Errorf("stream %s to %s: %w", f.From, f.To, err)
			}
		}
		return nil
	})
	if err != nil {
		s.close()
		return nil, err
	}
	s.done.Go(func() { s.err = netns.Visit(func(*netns.Visitor) error { return s.run() }) })
	return s, nil
}

// open opens a flow's socket. The Prober's lock is held.
func (s *Stream) open(v *netns.Visitor, f Flow) error {
	if f.Protocol != corev1.ProtocolUDP {
		return fmt.Errorf("protocol %q: UDP alone can be streamed", f.Protocol)
	}
	t := &try{flow: f, socket: -1}
	if err := s.prober.enter(v, t); err != nil {
		return err
	}
	err := s.prober.connectUDP(t)
	if t.socket >= 0 {
		s.sockets = append(s.sockets, t.socket)
	}
	if err != nil {
		return err
	}
	s.prober.token++
	track := &Track{Flow: f, token: s.prober.token}
	s.tracks = append(s.tracks, track)
	s.prober.streams[track.token] = track
	return nil
}

// run sends until it is stopped. It never waits for the Prober: what arrived is taken in when that has nothing to do.
func (s *Stream) run() error {
	runtime.LockOSThread() // for good: the thread ends with its priority
	hurry()
	for due := monotonic(); ; due += int64(s.interval) {
		select {
		case <-s.stop:
			return nil
		default:
		}
		sleepUntil(due)
		late := monotonic() - due
		s.record.Lateness = append(s.record.Lateness, time.Duration(late))
		// Rounds that are missed are not made up for: that would be later still.
		missed := late / int64(s.interval)
		s.record.Missed += int(missed)
		due += missed * int64(s.interval)
		for i, t := range s.tracks {
			s.send(i, t)
		}
		if s.prober.mu.TryLock() {
			s.prober.collect()
			s.prober.dismiss()
			s.prober.mu.Unlock()
		}
	}
}

func (s *Stream) send(i int, t *Track) {
	var data [streamSize]byte
	binary.NativeEndian.PutUint64(data[:8], t.token)
	binary.NativeEndian.PutUint64(data[8:], uint64(len(t.Sent)))
	t.Sent = append(t.Sent, monotonic())
	if _, err := unix.Write(s.sockets[i], data[:]); err != nil {
		t.Errors = append(t.Errors, Refusal{len(t.Sent) - 1, err})
	}
}

// streamed notes the arrival of a stream's datagram. The Prober's lock is held.
func (p *Prober) streamed(token, number uint64, at int64) {
	if t := p.streams[token]; t != nil && number < 1<<32 {
		for uint64(len(t.Received)) <= number {
			t.Received = append(t.Received, 0)
		}
		t.Received[number] = at
	}
}

// Stop ends the stream, once what it has sent has arrived or is lost, and returns what was seen. It must be called once, before the
// Prober is closed.
func (s *Stream) Stop() (Record, error) {
	close(s.stop)
	s.done.Wait()
	s.prober.mu.Lock()
	defer s.prober.mu.Unlock()
	// Here the order of packets is of no use: other CPUs may still have some.
	time.Sleep(10 * grace)
	s.prober.collect()
	s.prober.dismiss()
	r := s.record
	for _, t := range s.tracks {
		for len(t.Received) < len(t.Sent) {
			t.Received = append(t.Received, 0)
		}
		r.Tracks = append(r.Tracks, *t)
	}
	s.close()
	return r, s.err
}

func (s *Stream) close() {
	for _, socket := range s.sockets {
		_ = closeSocket(socket)
	}
	for _, t := range s.tracks {
		delete(s.prober.streams, t.token)
	}
}

// hurry lets the calling thread run before others where the kernel and its rights allow that: by a short slice (Linux 6.12), which
// wakes it sooner, and by its niceness. How late it was is in the record.
func hurry() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: -20, Runtime: 100_000}
	if unix.SchedSetAttr(0, &attr, 0) != nil {
		attr.Nice = 0
		_ = unix.SchedSetAttr(0, &attr, 0)
	}
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // can't fail
	return now.Nano()
}

func sleepUntil(t int64) {
	at := unix.NsecToTimespec(t)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}
