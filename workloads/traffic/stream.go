//go:build linux

package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
)

const (
	// maxStreams bounds the flows of a Stream.
	maxStreams = 200
	// idle is how often a Stream without flows looks whether there are some.
	idle = 10 * time.Millisecond
)

// Stream sends numbered packets on its flows, from one thread with absolute deadlines, and notes when each was sent and when it
// arrived. By UDP they are datagrams that go one way and are never answered; by TCP each is the first packet of a connection of its own,
// which is closed once it is established. So conntrack never holds them to belong to what is established: each is judged by the policies
// that are in force when it passes. The flows of its Conversations are established. It is safe for concurrent use.
type Stream struct {
	prober  *Prober
	certain time.Duration
	epoch   time.Time // when the monotonic clock said began
	began   int64
	stop    chan struct{}
	done    sync.WaitGroup
	err     error // of the sending thread

	mu     sync.Mutex // taken after the Prober's
	sure   time.Time  // what was sent until then and has not arrived was dropped
	late   int        // datagrams that arrived after they had been taken for dropped
	tracks map[Flow]*track
	tokens map[uint64]*track
	talks  map[uint64]*track // the flows of Conversations
}

// track is a flow of a Stream or of a Conversation.
type track struct {
	flow     Flow
	tag      any
	token    uint64
	socket   int
	from     *netns.Namespace
	interval int64
	due      int64      // of the next packet
	first    uint64     // number of the first of sent
	sent     []Datagram // those that were not taken yet
	ended    bool
	ports    *ports    // of a Stream by TCP
	attempts []attempt // of a Stream by TCP: those of which nothing is certain yet, in the order of their numbers
	heard    int       // of a Conversation by TCP: the bytes that came back
}

// Datagram is what became of one packet of a Stream, or of one message of a Conversation.
type Datagram struct {
	Flow     Flow
	Tag      any
	Sent     time.Time     // before it was given to the kernel
	Gone     time.Time     // after that: a thread may be held up between
	Late     time.Duration // how much later than due it was Sent
	Received time.Time     // when the receiver's socket had it; by TCP, or of a message, when its answer was noticed; zero: it did not arrive
	Err      error         // nothing can be said: the kernel would not send it, or an end of it went, or refused
}

// streamSize is the length of a stream's datagram: the flow's token, and its number.
const streamSize = 16

// Stream begins a stream without flows. A packet that has not arrived within certain was dropped: that must be far longer than packets
// wait in the kernel's queues on a busy machine. There is one stream at a time; it must be stopped before the Prober is closed.
func (p *Prober) Stream(certain time.Duration) (*Stream, error) {
	s := &Stream{prober: p, certain: certain, epoch: time.Now(), began: monotonic(), stop: make(chan struct{}), tracks: map[Flow]*track{}, tokens: map[uint64]*track{}, talks: map[uint64]*track{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("begin stream: %w", os.ErrClosed)
	}
	if p.stream != nil {
		return nil, errors.New("begin stream: the prober has one already")
	}
	p.stream = s
	s.done.Go(func() { s.err = netns.Visit(s.run) })
	return s, nil
}

// Open begins to send on a flow by UDP or TCP, a packet each interval, all of which bear the tag, which must be comparable. It is no error if
// the flow is open already; under another tag it begins anew. Its port must be listened on (see Listen). Release of the namespace from
// which it comes closes it.
func (s *Stream) Open(f Flow, tag any, interval time.Duration) error {
	s.prober.mu.Lock()
	defer s.prober.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isUDP(f) && f.Protocol != corev1.ProtocolTCP || interval <= 0 {
		return fmt.Errorf("stream %s to %s by %q each %v: UDP and TCP can be streamed, at an interval above zero", f.From, f.To, f.Protocol, interval)
	}
	if s.prober.closed {
		return fmt.Errorf("stream %s to %s: %w", f.From, f.To, os.ErrClosed)
	}
	if t := s.tracks[f]; t != nil && t.tag == tag {
		t.interval = int64(interval)
		return nil
	} else if t != nil {
		s.close(t)
	}
	if len(s.tracks) >= maxStreams {
		return fmt.Errorf("stream %s to %s: %d flows are open, which is the limit", f.From, f.To, maxStreams)
	}
	return netns.Visit(func(v *netns.Visitor) error {
		t := &try{flow: f, socket: -1}
		err := s.prober.enter(v, t)
		if err == nil && isUDP(f) {
			err = s.prober.connectUDP(t)
		}
		if err != nil {
			if t.socket >= 0 {
				_ = closeSocket(t.socket)
			}
			return fmt.Errorf("stream %s to %s: %w", f.From, f.To, err)
		}
		s.prober.token++
		track := newTrack(f, s.prober.token, t, interval)
		track.tag, track.ports = tag, s.prober.portsOf(t)
		s.tracks[f], s.tokens[track.token] = track, track
		return nil
	})
}

// newTrack is the track that goes on with a try's socket.
func newTrack(f Flow, token uint64, t *try, interval time.Duration) *track {
	track := &track{flow: f, token: token, socket: t.socket, from: t.from, interval: int64(interval)}
	// All flows of one interval are due together: a thread that wakes for each takes a whole core for fifty.
	track.due = (monotonic()/track.interval + 1) * track.interval
	return track
}

// Close ends a flow; it is no error if it is not open. What its last packets met is still taken.
func (s *Stream) Close(f Flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tracks[f]; t != nil {
		s.close(t)
	}
}

// close ends a flow. The lock is held.
func (s *Stream) close(t *track) {
	if t.socket >= 0 {
		_ = closeSocket(t.socket)
	}
	delete(s.tracks, t.flow)
	t.socket, t.ended = -1, true
}

// release closes the flows that come from a namespace.
func (s *Stream) release(ns *netns.Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.from == ns && !t.ended {
			s.close(t)
		}
		if t.from == ns {
			s.abandon(t)
		}
	}
	for _, t := range s.talks {
		if t.from == ns {
			s.leave(t)
		}
	}
}

// Drain returns once it is certain what became of each packet that was sent before, so that Take tells of it.
func (s *Stream) Drain() error {
	s.mu.Lock() // nothing is being sent
	until := s.time(monotonic())
	s.mu.Unlock()
	p := s.prober
	if p.marker == nil {
		time.Sleep(time.Until(until.Add(s.certain)))
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("settle stream: %w", os.ErrClosed)
	}
	for range 2 { // as in a round of flows
		if err := netns.Visit(func(*netns.Visitor) error { return onEachCPU(p.marker.pass) }); err != nil {
			return fmt.Errorf("settle stream: %w", err)
		}
		time.Sleep(grace)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sure = until
	return p.failure
}

// Take returns what became of the packets of which that is certain by now, each once; those of a flow in the order of sending. Once the
// Prober has failed (see Prober.Err), that is nothing.
func (s *Stream) Take() []Datagram {
	s.prober.mu.Lock()
	defer s.prober.mu.Unlock()
	before := time.Now().Add(-s.certain)
	s.prober.collect()
	s.prober.dismiss()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sure.After(before) {
		before = s.sure
	}
	var taken []Datagram
	for token, t := range s.tokens {
		s.meet(t)
		n := 0
		for n < len(t.sent) && (!t.sent[n].Received.IsZero() || t.sent[n].Err != nil || t.sent[n].Sent.Before(before)) {
			n++
		}
		taken = append(taken, t.sent[:n]...)
		t.first += uint64(n)
		t.forget()
		if t.sent = append([]Datagram(nil), t.sent[n:]...); t.ended && len(t.sent) == 0 {
			delete(s.tokens, token)
		}
	}
	if s.prober.failure != nil { // only now: what is not told must not be kept either
		return nil
	}
	return taken
}

// run sends until it is stopped. It never waits for the Prober: what arrived is taken in when that has nothing to do.
func (s *Stream) run(v *netns.Visitor) error {
	runtime.LockOSThread() // for good: the thread ends with its priority
	netns.Hurry()
	for next := monotonic(); ; {
		select {
		case <-s.stop:
			return nil
		default:
		}
		sleepUntil(next)
		next = s.round(v)
		if s.prober.mu.TryLock() {
			if !s.prober.closed {
				s.prober.collect()
				s.prober.dismiss()
			}
			s.prober.mu.Unlock()
		}
	}
}

// round sends what is due and returns when something is due again.
func (s *Stream) round(v *netns.Visitor) (next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := monotonic()
	next = now + int64(idle)
	for _, t := range s.tracks {
		if t.due <= now {
			if isUDP(t.flow) {
				s.send(t)
			} else {
				s.meet(t)
				s.attempt(v, t)
			}
			t.postpone(now)
		}
		next = min(next, t.due)
	}
	for _, t := range s.talks {
		s.hear(t)
		if t.due <= now {
			s.say(t)
			t.postpone(now)
		}
		next = min(next, t.due)
	}
	return next
}

// postpone makes the next datagram due. What is missed is not made up for: that would be later still.
func (t *track) postpone(now int64) { t.due += t.interval * (1 + max(0, now-t.due)/t.interval) }

func (s *Stream) send(t *track) {
	var data [streamSize]byte
	binary.NativeEndian.PutUint64(data[:8], t.token)
	binary.NativeEndian.PutUint64(data[8:], t.first+uint64(len(t.sent)))
	at := monotonic()
	_, err := unix.Write(t.socket, data[:])
	s.note(t, at, err)
}

// note notes that a packet was given to the kernel between a time and now.
func (s *Stream) note(t *track, at int64, err error) {
	t.sent = append(t.sent, Datagram{Flow: t.flow, Tag: t.tag, Sent: s.time(at), Gone: s.time(monotonic()), Late: time.Duration(at - t.due), Err: err})
}

// time is an instant of the monotonic clock.
func (s *Stream) time(at int64) time.Time { return s.epoch.Add(time.Duration(at - s.began)) }

// streamed notes the arrival of a datagram, and reports whether it is a Conversation's and to be answered. The Prober's lock is held.
func (s *Stream) streamed(token, number uint64, at int64) (answer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := s.tokens[token]; {
	case t == nil:
	case number < t.first:
		s.late++
	case number-t.first < uint64(len(t.sent)):
		t.sent[number-t.first].Received = s.time(at)
	}
	return s.talks[token] != nil
}

// Stop ends all flows, and returns what had not been taken yet once it is certain. It must be called once. It is an error if datagrams
// arrived after they had been taken for dropped.
func (s *Stream) Stop() ([]Datagram, error) {
	close(s.stop)
	s.done.Wait()
	s.mu.Lock()
	for _, t := range s.tracks {
		s.close(t)
	}
	for _, t := range s.talks {
		s.leave(t)
	}
	s.mu.Unlock()
	err := s.Drain()
	rest := s.Take()
	s.prober.mu.Lock()
	defer s.prober.mu.Unlock()
	s.prober.stream = nil
	for _, t := range s.tokens {
		s.abandon(t)
	}
	if s.late > 0 {
		err = errors.Join(err, fmt.Errorf("%d datagrams arrived after they had been taken for dropped", s.late))
	}
	return rest, errors.Join(err, s.err)
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // can't fail
	return now.Nano()
}

// ahead returns by how much the clock of the kernel's time stamps is ahead of the monotonic one, to within some microseconds: what comes
// between the two readings would be taken for it.
func ahead() int64 {
	best, offset := int64(1<<62), int64(0)
	for range 5 {
		before := monotonic()
		real := time.Now().UnixNano()
		if took := monotonic() - before; took < best {
			best, offset = took, real-before-took/2
		}
		if best < int64(2*time.Microsecond) {
			break
		}
	}
	return offset
}

func sleepUntil(t int64) {
	at := unix.NsecToTimespec(t)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}
