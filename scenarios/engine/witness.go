package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// Observation is what became of one packet of a stream; by TCP, of a connection's first one.
type Observation struct {
	Flow    Flow
	Sent    time.Time
	Arrived bool
}

// Streamer sends on streams. It is safe for concurrent use.
type Streamer interface {
	// Start begins a stream with a packet at each interval; os.ErrNotExist, wrapped, while one of its ends has no veth with that address. It
	// is no error if the stream is under way.
	Start(s Flow, interval time.Duration) error
	// Stop ends a stream. Unplugging the pod from which it comes ends it as well.
	Stop(s Flow)
	// Observe returns what became of each packet, once it is certain, those of a stream in the order in which they were sent.
	Observe() []Observation
	// Settle returns once it is certain what became of each packet that was sent before, so that Observe tells of it.
	Settle() error
}

// CertainAfter is how long a Streamer may take until it knows that a packet was dropped.
const CertainAfter = 300 * time.Millisecond

const (
	// streamLimit is how many streams by UDP are observed at once, and attemptLimit by TCP, of which a handshake takes five times the CPU
	// time of a datagram (BenchmarkStream).
	streamLimit  = 32
	attemptLimit = 16
	// observeInterval is how often observations are judged.
	observeInterval = 50 * time.Millisecond
	// openInterval is how often a stream that can't be opened yet is tried.
	openInterval = 5 * time.Millisecond
	// sampleInterval is how often each stream of the sample sends, and attemptInterval those by TCP.
	sampleInterval  = 10 * time.Millisecond
	attemptInterval = 20 * time.Millisecond
	// disorder is how much older a packet may be than one that was judged before it: of streams that were closed and opened again, and
	// of closed ones.
	disorder = 10 * time.Second
	// violationGap is how long a stream may go right for two wrong packets to be told as one violation.
	violationGap = 100 * time.Millisecond
)

// witness watches a sample of flows during a whole scenario, packet by packet: each must meet one of the verdicts that are legal
// when it is sent. A change must be in force once a comparison that began after its acknowledgement has agreed and proves it (see
// doubtFor), at the latest DefaultBound after that.
type witness struct {
	streamer Streamer
	deadline time.Duration
	cancel   context.CancelFunc
	done     sync.WaitGroup
	nudge    chan struct{} // the model has changed

	mu       sync.Mutex
	excuses  bool // packets of IPv6 that were dropped
	state    workloads.State
	sample   []Flow    // of the state
	stale    bool      // the state has changed since the sample was drawn
	recent   []*past   // oldest first, each the one before the next
	blurred  time.Time // when the last change that is not among recent any more is in force
	laws     map[Flow]*law
	closed   map[Flow]time.Time // streams whose last packets may be to be judged
	opened   map[Flow]bool
	followed map[Flow]*follower
	judged   map[Flow]int // packets, since the last finding
	breaches []*breach    // since the last finding
	failed   error
}

// breach is a row of packets of one stream that met a verdict that was not legal.
type breach struct {
	flow        Flow
	arrived     bool
	first, last time.Time
	packets     int
	after       span
}

// String tells a breach in one line.
func (b breach) String() string {
	verb := "were dropped"
	if b.arrived {
		verb = "passed"
	}
	told := fmt.Sprintf("%d packets %s within %v from %s on", b.packets, verb, b.last.Sub(b.first).Round(100*time.Microsecond), b.first.UTC().Format("15:04:05.000"))
	if b.after.verb != "" {
		told += fmt.Sprintf(", %v after %q began", b.first.Sub(b.after.begun).Round(100*time.Microsecond), b.after.verb)
	}
	return told
}

// startWitness watches the world until stop is called, also when ctx ends before: streams go on until then, and what becomes of their
// packets must be taken.
func startWitness(ctx context.Context, w *World) *witness {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	v := &witness{
		streamer: w.Streamer, deadline: DefaultBound, cancel: cancel, nudge: make(chan struct{}, 1), state: w.Fleet.State(), stale: true, excuses: w.CutsIPv6,
		laws: map[Flow]*law{}, closed: map[Flow]time.Time{}, opened: map[Flow]bool{}, followed: map[Flow]*follower{}, judged: map[Flow]int{},
	}
	w.Fleet.Watch(v.changed)
	v.done.Go(func() { v.attend(ctx) })
	v.done.Go(func() { v.observe(ctx) })
	return v
}

// stop ends the watch and all streams; what their last packets met is for Settle to find.
func (v *witness) stop(w *World) {
	w.Fleet.Watch(nil)
	v.cancel()
	v.done.Wait()
	for s := range v.opened {
		v.streamer.Stop(s)
	}
}

func (v *witness) fail(err error) {
	if err == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = err
}

// attend opens and closes streams as the model changes.
func (v *witness) attend(ctx context.Context) {
	retry := time.NewTicker(openInterval)
	defer retry.Stop()
	for pending := true; ; {
		if pending {
			pending = v.adjust()
		}
		select {
		case <-ctx.Done():
			return
		case <-v.nudge:
			pending = true
		case <-retry.C:
		}
	}
}

// adjust makes the streams those that the model asks for, and reports whether some could not be opened yet.
func (v *witness) adjust() (pending bool) {
	v.mu.Lock()
	now, wanted := time.Now(), map[Flow]time.Duration{}
	if v.stale {
		v.sample, v.stale = sampleStreams(v.state), false
	}
	for _, s := range v.sample {
		wanted[s] = sampleInterval
		if s.Protocol == corev1.ProtocolTCP {
			wanted[s] = attemptInterval
		}
	}
	for s, f := range v.followed {
		wanted[s] = f.interval
	}
	var gone []Flow
	for s := range v.opened {
		if wanted[s] == 0 {
			gone = append(gone, s)
			delete(v.opened, s)
			v.closed[s] = now
		}
	}
	for s := range wanted {
		if v.laws[s] == nil {
			v.laws[s] = v.legislate(s, now)
		}
	}
	v.mu.Unlock()
	for _, s := range gone {
		v.streamer.Stop(s)
	}
	for s, interval := range wanted { // one that is open may have been ended with its pod, which came back
		err := v.streamer.Start(s, interval)
		if errors.Is(err, os.ErrNotExist) {
			pending = true
			continue
		}
		v.fail(err)
		v.mu.Lock()
		v.opened[s] = err == nil
		delete(v.closed, s)
		v.mu.Unlock()
	}
	return pending
}

// follower collects what becomes of the packets of one stream.
type follower struct {
	interval time.Duration
	seen     []Observation
}

// follow opens a stream that sends at that interval, whatever the sample, until unfollow.
func (v *witness) follow(s Flow, interval time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.followed[s] = &follower{interval: interval}
	v.wake()
}

// take returns what a stream that is followed has met since the last call.
func (v *witness) take(s Flow) []Observation {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.followed[s].seen
	v.followed[s].seen = nil
	return seen
}

func (v *witness) unfollow(s Flow) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.followed, s)
	v.wake()
}

// wake makes the streams be adjusted.
func (v *witness) wake() {
	select {
	case v.nudge <- struct{}{}:
	default:
	}
}

// observe judges packets as they become known.
func (v *witness) observe(ctx context.Context) {
	tick := time.NewTicker(observeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v.judge(v.streamer.Observe())
	}
}

func (v *witness) judge(seen []Observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range seen {
		l := v.laws[o.Flow]
		if l == nil {
			continue // it ended so long ago that its law is forgotten
		}
		v.judged[o.Flow]++
		if f := v.followed[o.Flow]; f != nil {
			f.seen = append(f.seen, o)
		}
		met := mayDrop
		if o.Arrived {
			met = mayPass
		}
		if excused := v.excuses && !o.Arrived && o.Flow.To.Addr.Is6(); !excused && l.at(o.Sent, v.deadline)&met == 0 {
			v.breached(o, *l.since(o.Sent))
		}
		l.forget(o.Sent.Add(-disorder), v.deadline)
	}
	for s, at := range v.closed {
		if time.Since(at) > disorder {
			delete(v.closed, s)
			delete(v.laws, s)
		}
	}
}

func (v *witness) breached(o Observation, after span) {
	for _, b := range slices.Backward(v.breaches) {
		if b.flow == o.Flow && b.arrived == o.Arrived && o.Sent.Sub(b.last) < violationGap {
			b.last = o.Sent
			b.packets++
			return
		}
	}
	v.breaches = append(v.breaches, &breach{flow: o.Flow, arrived: o.Arrived, first: o.Sent, last: o.Sent, packets: 1, after: after})
}

// finding tells what was seen since the last one; false if nothing was.
func (v *witness) finding() (f report.Finding, any bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f = report.Finding{Kind: report.Expectation, Name: neverWrong, Facts: len(v.judged), Differing: len(v.breaches)}
	for _, b := range v.breaches[:min(len(v.breaches), maxDifferences)] {
		want := "no packet dropped"
		if b.arrived {
			want = "no packet passes"
		}
		f.Differences = append(f.Differences, report.Difference{Fact: b.flow.String(), Want: want, Got: b.String(), Aspect: report.Packets, From: b.first, Until: b.last})
	}
	if v.failed != nil && len(v.breaches) == 0 { // what is proved outweighs what could not be looked at
		f.Error = v.failed.Error()
	}
	any = len(v.judged) > 0 || v.failed != nil
	v.judged, v.breaches, v.failed = map[Flow]int{}, nil, nil
	return f, any
}

// neverWrong names what a witness finds.
const neverWrong = "never wrong"

// testify tells what the witness has seen since it was asked last. The error wraps ErrBroken if that was wrong.
func (w *World) testify(note func(report.Finding)) error {
	if w.witness == nil {
		return nil
	}
	f, any := w.witness.finding()
	if !any {
		return nil
	}
	note(f)
	if f.Differing > 0 {
		return fmt.Errorf("%s: %w", f.First(), ErrBroken)
	}
	return nil
}

// JudgeCuts makes packets of IPv6 that were dropped a finding, whatever is known of the SUT.
func (w *World) JudgeCuts() {
	if v := w.witness; v != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.excuses = false
	}
}

// Settle waits until it is known what became of all packets sent so far, and tells note of what no check has told yet. The error wraps
// ErrBroken if that was wrong.
func (w *World) Settle(note func(report.Finding)) error {
	v := w.witness
	if v == nil {
		return nil
	}
	v.fail(v.streamer.Settle())
	v.judge(v.streamer.Observe())
	return w.testify(note)
}

// sampleStreams draws flows of both protocols at even distances of those that are tried after each step.
func sampleStreams(s workloads.State) []Flow {
	var udp, tcp []Flow
	for _, f := range sampleFlows(s) {
		if f.Protocol == corev1.ProtocolUDP {
			udp = append(udp, f)
		} else {
			tcp = append(tcp, f)
		}
	}
	return append(spread(udp, streamLimit), spread(tcp, attemptLimit)...)
}
