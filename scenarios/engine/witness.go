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

// Observation is what became of one packet of a stream.
type Observation struct {
	Flow    Flow
	Sent    time.Time
	Arrived bool
}

// Streamer sends on streams. It is safe for concurrent use.
type Streamer interface {
	// Open begins a stream with a packet at each interval; os.ErrNotExist, wrapped, while one of its ends has no veth with that address.
	Open(s Flow, interval time.Duration) error
	// Close ends a stream. Unplugging one of its ends ends it as well.
	Close(s Flow) error
	// Observe returns what became of each packet sent since the last call, once it is certain, in the order in which they were sent.
	Observe() ([]Observation, error)
}

const (
	// streamLimit is how many streams are observed at once.
	streamLimit = 48
	// observeInterval is how often observations are judged.
	observeInterval = 50 * time.Millisecond
	// openInterval is how often a stream that can't be opened yet is tried.
	openInterval = 5 * time.Millisecond
	// sampleInterval is how often each stream of the sample sends.
	sampleInterval = 10 * time.Millisecond
	// violationGap is how long a stream may go right for two wrong packets to be told as one violation.
	violationGap = 100 * time.Millisecond
)

// witness watches a sample of flows during a whole scenario, packet by packet: each must meet one of the verdicts that are legal
// when it is sent. A change is allowed DefaultBound, once it is acknowledged, until it is in force.
type witness struct {
	streamer Streamer
	deadline time.Duration
	cancel   context.CancelFunc
	done     sync.WaitGroup
	nudge    chan struct{} // the model has changed

	mu       sync.Mutex
	state    workloads.State
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

// startWitness watches the world until stop is called.
func startWitness(ctx context.Context, w *World) *witness {
	ctx, cancel := context.WithCancel(ctx)
	v := &witness{
		streamer: w.Streamer, deadline: DefaultBound, cancel: cancel, nudge: make(chan struct{}, 1), state: w.Fleet.State(),
		laws: map[Flow]*law{}, closed: map[Flow]time.Time{}, opened: map[Flow]bool{}, followed: map[Flow]*follower{}, judged: map[Flow]int{},
	}
	w.Fleet.Watch(v.changed)
	v.done.Go(func() { v.attend(ctx) })
	v.done.Go(func() { v.observe(ctx) })
	return v
}

// stop ends the watch and all streams.
func (v *witness) stop(w *World) {
	w.Fleet.Watch(nil)
	v.cancel()
	v.done.Wait()
	for s := range v.opened {
		v.fail(v.streamer.Close(s))
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

// changed notes a change of the model.
func (v *witness) changed(verb string, before, after workloads.State) (acknowledged func()) {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = after
	var began []*span
	x := workloads.NewIndex(after)
	for _, l := range v.laws {
		if s := l.change(verb, now, before, after, x); s != nil {
			began = append(began, s)
		}
	}
	v.wake()
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, s := range began {
			s.acked = time.Now()
		}
	}
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
	wanted, now := sampleStreams(v.state), time.Now()
	var gone, fresh []Flow
	for s := range v.opened {
		if !slices.Contains(wanted, s) && v.followed[s] == nil {
			gone = append(gone, s)
			delete(v.opened, s)
			v.closed[s] = now
		}
	}
	for s := range v.followed {
		if !slices.Contains(wanted, s) {
			wanted = append(wanted, s)
		}
	}
	for _, s := range wanted {
		if v.opened[s] {
			continue
		}
		fresh = append(fresh, s)
		if v.laws[s] == nil {
			v.laws[s] = newLaw(s, v.state, now)
		}
	}
	intervals := map[Flow]time.Duration{}
	for _, s := range fresh {
		intervals[s] = sampleInterval
		if f := v.followed[s]; f != nil {
			intervals[s] = f.interval
		}
	}
	v.mu.Unlock()
	for _, s := range gone {
		v.fail(v.streamer.Close(s))
	}
	for _, s := range fresh {
		err := v.streamer.Open(s, intervals[s])
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
	v.followed[s] = &follower{interval: interval}
	again := v.opened[s]
	delete(v.opened, s)
	v.mu.Unlock()
	if again {
		v.fail(v.streamer.Close(s))
	}
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
	delete(v.followed, s)
	was := v.opened[s]
	if was {
		delete(v.opened, s)
		v.closed[s] = time.Now()
	}
	v.mu.Unlock()
	if was {
		v.fail(v.streamer.Close(s))
	}
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
		seen, err := v.streamer.Observe()
		v.fail(err)
		v.judge(seen)
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
		if l.at(o.Sent, v.deadline)&met == 0 {
			v.breached(o, *l.since(o.Sent))
		}
		l.forget(o.Sent, v.deadline)
	}
	for s, at := range v.closed {
		if time.Since(at) > 10*time.Second {
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
		f.Differences = append(f.Differences, report.Difference{Fact: b.flow.String(), Want: want, Got: b.String()})
	}
	if v.failed != nil {
		f.Error = v.failed.Error()
	}
	any = len(v.judged) > 0 || v.failed != nil
	v.judged, v.breaches, v.failed = map[Flow]int{}, nil, nil
	return f, any
}

// neverWrong names what a witness finds.
const neverWrong = "never wrong"

// sampleStreams draws flows at even distances of those that are tried after each step.
func sampleStreams(s workloads.State) []Flow {
	flows := slices.DeleteFunc(sampleFlows(s), func(f Flow) bool { return f.Protocol != corev1.ProtocolUDP })
	if len(flows) <= streamLimit {
		return flows
	}
	sample := make([]Flow, 0, streamLimit)
	for i := range streamLimit {
		sample = append(sample, flows[i*len(flows)/streamLimit])
	}
	return sample
}
