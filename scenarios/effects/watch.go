package effects

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Observation is what became of one packet of a stream; by TCP, of a connection's first one.
type Observation struct {
	Flow Flow
	// Sent is before the packet was given to the kernel, and Gone after that; of one by UDP that arrived, after it arrived. One that was dropped
	// may have waited in the kernel beyond Gone: if it met a change that began only then, it is judged by what was in force before.
	Sent, Gone time.Time
	Arrived    bool
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
	// Drain returns once it is certain what became of each packet that was sent before, so that Observe tells of it.
	Drain() error
}

// CertainAfter is how long a Streamer may take until it knows that a packet was dropped.
const CertainAfter = 300 * time.Millisecond

const (
	// streamLimit is how many streams by UDP are observed at once, and attemptLimit by TCP, of which a handshake takes five times the CPU
	// time of a datagram (BenchmarkStream).
	streamLimit  = 32
	attemptLimit = 16
	// namedStreamLimit and namedAttemptLimit are how many there are besides, on ports that policies name.
	namedStreamLimit  = 8
	namedAttemptLimit = 4
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

// streamWatch watches a sample of flows during a whole scenario, packet by packet: each must meet one of the verdicts that are legal
// while it is sent. A change must be in force once a comparison that began after its acknowledgement has agreed and proves it (see
// doubtFor), at the latest engine.DefaultBound after that.
type streamWatch struct {
	streamer Streamer
	unwatch  func() // the model
	cancel   context.CancelFunc
	done     sync.WaitGroup
	nudge    chan struct{} // the model has changed
	sampler  sampler       // adjustAll's alone
	judging  sync.Mutex    // held from when observations are taken until they are judged; before mu

	mu       sync.Mutex
	known    []report.KnownIssue // whose violations are excused
	history  *history
	sample   []Flow // of the model
	stale    bool   // the model has changed since the sample was drawn
	verdicts map[Flow]*flowVerdicts
	closed   map[Flow]time.Time // since when streams of which we keep the verdicts are wanted no more; their last packets may be to be judged
	opened   map[Flow]bool
	followed map[Flow]*follower
	wanted   coverage
	seen     tally // since the last finding
}

// tally is what has been seen.
type tally struct {
	judged     map[Flow]bool
	packets    report.PacketCounts
	violations []*violation
	failed     error
}

// startWatch watches until Stop is called, also when ctx ends before: streams go on until then, and what becomes of their packets must be taken.
func startWatch(ctx context.Context, fleet *workloads.Fleet, streamer Streamer, known []report.KnownIssue) *streamWatch {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	v := &streamWatch{
		streamer: streamer, unwatch: func() { fleet.Watch(nil) }, cancel: cancel, nudge: make(chan struct{}, 1), known: known,
		history: newHistory(fleet.State(), engine.DefaultBound), stale: true,
		verdicts: map[Flow]*flowVerdicts{}, closed: map[Flow]time.Time{}, opened: map[Flow]bool{}, followed: map[Flow]*follower{},
	}
	fleet.Watch(v.changed)
	v.done.Go(func() { v.adjustAll(ctx) })
	v.done.Go(func() { v.observe(ctx) })
	return v
}

// Stop ends the watch and all streams; what their last packets met is for Drain to find.
func (v *streamWatch) Stop() {
	v.unwatch()
	v.cancel()
	v.done.Wait()
	v.mu.Lock()
	v.wanted.ended = time.Now()
	v.mu.Unlock()
	for s := range v.opened {
		v.streamer.Stop(s)
	}
}

func (v *streamWatch) fail(err error) {
	if err == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen.failed = err
}

// changed notes a change of the model.
func (v *streamWatch) changed(verb string, after workloads.State) (acknowledged func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.history.begin(verb, time.Now(), after)
	v.stale = true
	v.wake()
	if c == nil {
		return func() {}
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.history.acknowledge(c, time.Now())
	}
}

// Leave notes that the agent is kept from running.
func (v *streamWatch) Leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.leave(time.Now())
}

// Back notes that it runs again.
func (v *streamWatch) Back() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.back(time.Now())
}

// Agreed notes that all that had been acknowledged at a time has been seen to be in force.
func (v *streamWatch) Agreed(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.converged(at, time.Now())
	v.wanted.agreed(len(v.sample))
}

// adjustAll opens and closes streams as the model changes.
func (v *streamWatch) adjustAll(ctx context.Context) {
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

// draw makes the sample that of the model, if that has changed. A change of the model does not wait for the draw: one that comes meanwhile
// makes the sample stale again.
func (v *streamWatch) draw() {
	v.mu.Lock()
	model, stale := v.history.now, v.stale
	v.stale = false
	v.mu.Unlock()
	if !stale {
		return
	}
	sample := v.sampler.draw(model)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sample = sample
	v.wanted.drawn(len(sample), time.Now())
}

// adjust makes the streams those that the model asks for, and reports whether some could not be opened yet.
func (v *streamWatch) adjust() (pending bool) {
	v.draw()
	v.mu.Lock()
	now, wanted := time.Now(), map[Flow]time.Duration{}
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
	for s := range v.verdicts {
		if _, noted := v.closed[s]; noted || wanted[s] > 0 {
			continue
		}
		v.closed[s] = now
		if v.opened[s] {
			gone = append(gone, s)
			delete(v.opened, s)
		}
	}
	for s := range wanted {
		delete(v.closed, s)
		if v.verdicts[s] == nil {
			v.verdicts[s] = v.history.verdictsOf(s)
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
func (v *streamWatch) follow(s Flow, interval time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.followed[s] = &follower{interval: interval}
	v.wake()
}

// take returns what a stream that is followed has met since the last call.
func (v *streamWatch) take(s Flow) []Observation {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.followed[s].seen
	v.followed[s].seen = nil
	return seen
}

func (v *streamWatch) unfollow(s Flow) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.followed, s)
	v.wake()
}

// wake makes the streams be adjusted.
func (v *streamWatch) wake() {
	select {
	case v.nudge <- struct{}{}:
	default:
	}
}

// observe judges packets as they become known.
func (v *streamWatch) observe(ctx context.Context) {
	tick := time.NewTicker(observeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v.judgeNew()
	}
}

// judgeNew judges what has become known. Whoever comes second waits until the first has judged: else Drain could tell before packets that
// observe has taken are judged.
func (v *streamWatch) judgeNew() {
	v.judging.Lock()
	defer v.judging.Unlock()
	v.judge(v.streamer.Observe())
}

func (v *streamWatch) judge(seen []Observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range seen {
		l := v.verdicts[o.Flow]
		if l == nil {
			continue // it ended so long ago that its verdicts are forgotten
		}
		if f := v.followed[o.Flow]; f != nil {
			f.seen = append(f.seen, o)
		}
		v.judgePacket(l, o)
	}
	v.history.forget(time.Now())
	for s, at := range v.closed {
		if time.Since(at) > disorder {
			delete(v.closed, s)
			delete(v.verdicts, s)
		}
	}
}

func (v *streamWatch) judgePacket(l *flowVerdicts, o Observation) {
	when := span{o.Sent, o.Gone}
	is := l.at(when)
	v.wanted.judged = true
	if v.seen.judged == nil {
		v.seen.judged = map[Flow]bool{}
	}
	v.seen.judged[o.Flow] = true
	v.seen.packets.Judged++
	switch {
	case is.crowded:
		v.seen.packets.Crowded++
	case is.legal != either:
		v.seen.packets.Strict++
	}
	met := mayDrop
	if o.Arrived {
		met = mayPass
	}
	if is.legal&met == 0 {
		v.seen.violated(l, o)
	}
}

// finding tells what was seen since the last one; false if nothing was.
func (v *streamWatch) finding() (f report.Finding, any bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.seen
	v.seen = tally{}
	f = report.Finding{Kind: report.Expectation, Name: neverWrong, Facts: len(seen.judged), Packets: &seen.packets}
	for _, b := range seen.violations {
		f.Violated(b.difference(), engine.MaxDifferences)
	}
	f = f.Excuse(v.known)
	if seen.failed != nil {
		f.Error = seen.failed.Error()
	}
	return f, len(seen.judged) > 0 || seen.failed != nil
}

// neverWrong names what the watch finds.
const neverWrong = "never wrong"

func (v *streamWatch) judgeAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = nil
}

// Tell tells what was seen since the last call.
func (v *streamWatch) Tell(note func(report.Finding)) error {
	f, any := v.finding()
	if !any {
		return nil
	}
	note(f)
	if f.Differing > 0 {
		return fmt.Errorf("%s: %w", f.First(), engine.ErrBroken)
	}
	return nil
}

// Drain waits until it is known what became of all packets sent so far, and tells note of what no check has told yet.
func (v *streamWatch) Drain(note func(report.Finding)) error {
	v.fail(v.streamer.Drain())
	v.judgeNew()
	err := v.Tell(note)
	if f, ok := v.missed(); ok {
		note(f)
	}
	return err
}
