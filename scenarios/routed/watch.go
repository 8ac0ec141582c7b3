package routed

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	// sampleLimit is how many routes are asked for all along, and goneLimit how many besides that are there no more, for goneFor.
	sampleLimit, goneLimit = 48, 16
	goneFor                = engine.DefaultBound + 15*time.Second // longer than it may be answered as if it were there
	// paceOfAll is how many requests are made a second in all unless Proxied says otherwise, and paceOfOne the most for one route.
	paceOfAll, paceOfOne = 400, 40
	// mostUnderWay bounds the requests that have no answer yet.
	mostUnderWay = 256
	// redrawn is how soon after a change of the model the sample is drawn again.
	redrawn = 50 * time.Millisecond
)

// requestWatch asks for a sample of routes during a whole scenario. Each answer must be legal for the time in which it was asked for: a change must be
// in force once an answer has proven it, at the latest some time after it was acknowledged.
type requestWatch struct {
	of      *Proxied
	share   time.Duration // how many watches share the pace of all
	unwatch func()
	over    func() error // of the scenario's context, once it has started
	cancel  context.CancelFunc
	done    sync.WaitGroup // what draws and asks
	asked   sync.WaitGroup // requests under way
	room    chan struct{}
	nudge   chan struct{} // the model has changed

	mu      sync.Mutex
	known   []report.KnownIssue
	history *history
	sample  []*asking
	absent  []absence
	seen    tally // since the last finding
	judged  bool  // a request was, ever
	wanted  time.Time
	ended   time.Time
}

// asking is a request that is made again and again.
type asking struct {
	request routing.Request
	key     string
	gone    time.Time  // its route is not there any more; zero: it is
	wrong   *violation // under way
}

// absence is a time in which the SUT was kept from running; it goes on while until is zero.
type absence struct{ from, until time.Time }

// tally is what has been seen.
type tally struct {
	asked      map[string]bool
	requests   report.PacketCounts
	lost       map[string]int // requests that failed while the SUT was kept from running, by how
	violations []*violation
	failed     error
}

// startWatch watches until Stop is called. What is answered once ctx has ended is not judged: the run was interrupted, or the SUT has died.
func startWatch(ctx context.Context, fleet *workloads.Fleet, of *Proxied) *requestWatch {
	v := newWatch(fleet.State(), of, 1)
	v.unwatch = func() { fleet.Watch(nil) }
	fleet.Watch(v.changed)
	v.start(ctx)
	return v
}

// newWatch is a watch of one instance from a state on, of so many.
func newWatch(s workloads.State, of *Proxied, share time.Duration) *requestWatch {
	within := of.Within
	if within == 0 {
		within = engine.DefaultBound
	}
	return &requestWatch{
		of: of, share: share, unwatch: func() {}, over: func() error { return nil }, room: make(chan struct{}, mostUnderWay), nudge: make(chan struct{}, 1), known: of.Known,
		history: newHistory(of.Dialect, s, within),
	}
}

func (v *requestWatch) start(ctx context.Context) {
	v.over = ctx.Err
	ctx, v.cancel = context.WithCancel(context.WithoutCancel(ctx))
	v.done.Go(func() { v.drawAll(ctx) })
	v.done.Go(func() { v.askAll(ctx) })
}

// Stop ends the watch once it is known what became of its last requests: what is removed from then on must not decide about them.
func (v *requestWatch) Stop() {
	v.unwatch()
	v.cancel()
	v.done.Wait()
	v.asked.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = time.Now()
}

// changed notes a change of the model.
func (v *requestWatch) changed(verb string, after workloads.State) (acknowledged func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.history.begin(verb, time.Now(), after)
	if c == nil {
		return func() {}
	}
	select {
	case v.nudge <- struct{}{}:
	default:
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.history.acknowledge(c, time.Now())
	}
}

// Leave notes that the SUT is kept from running: requests that fail meanwhile are lost, and counted.
func (v *requestWatch) Leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.leave(time.Now())
	v.absent = append(v.absent, absence{from: time.Now()})
}

// Back notes that it runs again, and has said that it is ready.
func (v *requestWatch) Back() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.back(time.Now())
	if n := len(v.absent); n > 0 {
		v.absent[n-1].until = time.Now()
	}
}

// Agreed notes that all that had been acknowledged at a time has been seen to be in force.
func (v *requestWatch) Agreed(since time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for _, a := range v.sample {
		if !v.of.past.has(a.key) {
			continue // nobody has compared what it is answered
		}
		v.history.agreed(a.request, a.key, since, now)
	}
}

// drawAll keeps the sample that of the model.
func (v *requestWatch) drawAll(ctx context.Context) {
	for {
		v.draw()
		select {
		case <-ctx.Done():
			return
		case <-v.nudge:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(redrawn):
		}
	}
}

// draw makes the sample that of the model: routes that it has stay, and new ones come evenly from all.
func (v *requestWatch) draw() {
	v.mu.Lock()
	model := v.history.now
	v.mu.Unlock()
	all := v.of.Dialect.Requests(model)
	there := make(map[string]routing.Request, len(all))
	for _, r := range all {
		there[r.String()] = r
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now, kept, live, has := time.Now(), []*asking(nil), 0, map[string]bool{}
	gone := 0
	for i := len(v.sample) - 1; i >= 0; i-- { // those that went last stay
		a := v.sample[i]
		if _, is := there[a.key]; is {
			a.gone = time.Time{}
			live++
		} else {
			if a.gone.IsZero() {
				a.gone = now
			}
			if gone++; gone > goneLimit || now.Sub(a.gone) > goneFor {
				v.end(a)
				continue
			}
		}
		kept, has[a.key] = append(kept, a), true
	}
	for i, room := 0, sampleLimit-live; i < len(all) && room > 0; i++ {
		r := all[i*step(len(all))%len(all)]
		if key := r.String(); !has[key] {
			kept, has[key], room = append(kept, &asking{request: r, key: key}), true, room-1
		}
	}
	v.sample = kept
	if len(all) > 0 && v.wanted.IsZero() {
		v.wanted = now
	}
}

// step is a number of no common factor with n, so that its multiples are all numbers below n, spread over them.
func step(n int) int {
	for s := n*5/8 + 1; ; s++ {
		a, b := s, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
}

// askAll asks for the routes of the sample in turn.
func (v *requestWatch) askAll(ctx context.Context) {
	next := time.Now()
	for i := 0; ; i++ {
		v.mu.Lock()
		n, a := len(v.sample), (*asking)(nil)
		if n > 0 {
			a = v.sample[i%n]
		}
		v.mu.Unlock()
		pace := time.Second / time.Duration(cmp.Or(v.of.Pace, paceOfAll))
		if n > 0 {
			pace = max(pace, time.Second/time.Duration(paceOfOne*n))
		}
		pace *= v.share
		next = next.Add(pace)
		if late := time.Since(next); late > time.Second {
			next = time.Now() // the machine had no time for us: what was not asked is not asked at once
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		if a != nil {
			v.ask(ctx, a)
		}
	}
}

func (v *requestWatch) ask(ctx context.Context, a *asking) {
	select {
	case v.room <- struct{}{}:
	case <-ctx.Done():
		return
	}
	v.asked.Go(func() {
		defer func() { <-v.room }()
		o := v.of.Ask(context.WithoutCancel(ctx), a.request)
		v.judge(a, o)
	})
}

// judge judges what became of a request.
func (v *requestWatch) judge(a *asking, o Outcome) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := span{o.Answer.Due, o.Answer.Answered}
	if v.over() != nil {
		return
	}
	if o.Failure.Ours() {
		v.seen.failed = fmt.Errorf("%s: %s: %s", a.request, o.Failure, o.Why)
		return
	}
	if v.seen.asked == nil {
		v.seen.asked, v.seen.lost = map[string]bool{}, map[string]int{}
	}
	if v.lost(t) && o.Pod == (workloads.Key{}) {
		v.seen.lost[o.String()]++
		return
	}
	is := v.history.at(a.request, a.key, t)
	v.judged = true
	v.seen.asked[a.key] = true
	v.seen.requests.Judged++
	switch {
	case is.crowded:
		v.seen.requests.Crowded++
		return
	case is.strict:
		v.seen.requests.Strict++
	}
	if o.allowed(is.legal) {
		v.history.learn(a.request, a.key, is, o, t.until)
		v.end(a)
		return
	}
	v.violated(a, is, o, t)
}

// lost reports whether a request was under way while the SUT was kept from running.
func (v *requestWatch) lost(t span) bool {
	for _, a := range v.absent {
		if !t.until.Before(a.from) && (a.until.IsZero() || !t.from.After(a.until)) {
			return true
		}
	}
	return false
}

// Tell tells what was seen since the last call.
func (v *requestWatch) Tell(note func(report.Finding)) error {
	v.mu.Lock()
	seen := v.seen
	v.seen = tally{}
	for _, a := range v.sample {
		a.wrong = nil // what goes on is told as another one
	}
	var all []report.Difference
	for _, b := range seen.violations {
		all = append(all, b.difference())
	}
	v.mu.Unlock()
	f := report.Finding{Facts: len(seen.asked), Packets: &seen.requests, Note: tellLost(v.of.who(), seen.lost)}
	if seen.failed != nil {
		f.Error = seen.failed.Error()
	}
	if len(seen.asked) == 0 && seen.failed == nil && f.Note == "" {
		return nil
	}
	return tellWrong(f, all, v.known, note)
}

// Drain waits until it is known what became of all requests so far, and tells note of what no check has told yet.
func (v *requestWatch) Drain(note func(report.Finding)) error {
	for range cap(v.room) { // all that are under way now; others wait meanwhile
		v.room <- struct{}{}
	}
	for range cap(v.room) {
		<-v.room
	}
	err := v.Tell(note)
	if f, ok := v.missed(); ok {
		note(f)
	}
	return err
}

// longEnough is how long routes must have been wanted until it is a fault that no request was judged.
const longEnough = time.Second

// missed tells that there were routes and no request was judged: that is no pass.
func (v *requestWatch) missed() (f report.Finding, missed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ended := v.ended
	if ended.IsZero() {
		ended = time.Now()
	}
	if v.judged || v.wanted.IsZero() || ended.Sub(v.wanted) < longEnough {
		return f, false
	}
	return report.Finding{
		Kind: report.Expectation, Name: neverWrong, Error: fmt.Sprintf("there were routes for %v, and no request was judged", ended.Sub(v.wanted).Round(time.Millisecond)),
	}, true
}
