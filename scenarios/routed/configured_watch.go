package routed

import (
	"context"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	// watchedRequests is how many requests are looked at in each push.
	watchedRequests = 64
	// historyLimit is how many changes are remembered that are not known to be in force: what a push says while there are more is not judged.
	historyLimit = 5000
)

// moment is a state of the model with the change that made it.
type moment struct {
	state workloads.State
	verb  string
	begun time.Time
	acked time.Time        // zero: it is still being written
	moved []workloads.Part // by the change
}

// configWatch looks at each push: what a proxy would answer with it must be what was right before, or what is right since, a change that is not known yet to
// be in force. It watches a sample of requests, and all that it watches are judged in every configuration on the way.
type configWatch struct {
	*Configured
	unwatch func() // the pushes
	release func() // the model

	mu      sync.Mutex
	moments []*moment // the first is in force
	crowded bool      // some were forgotten before they were known to be in force
	index   *routing.Index
	// versions are what parts were made by the changes that are remembered, in their order.
	versions map[workloads.Part][]workloads.Object
	sample   []routing.Request
	stale    bool
	draw     *rand.Rand
	open     map[string]*wrong // by the request, while it goes on
	told     []*wrong          // over, and not told yet
	judged   map[string]bool   // requests since the last finding
	pushes   report.PacketCounts
	proven   map[string]*moment // that was seen to be in force for a request, by what it is called
	refused  []string
	ended    time.Time // zero: it goes on
}

// Watch judges every push from now on.
func (c *Configured) Watch(_ context.Context, w *engine.World) engine.Watch {
	v := newConfigWatch(c, w.Fleet.State())
	w.Fleet.Watch(v.changed)
	v.release = func() { w.Fleet.Watch(nil) }
	v.unwatch = c.Follower.Watch(v.judge)
	return v
}

func newConfigWatch(c *Configured, s workloads.State) *configWatch {
	return &configWatch{
		Configured: c, moments: []*moment{{state: s}}, index: routing.NewIndex(s), versions: map[workloads.Part][]workloads.Object{}, stale: true, draw: rand.New(rand.NewPCG(1, 1)), open: map[string]*wrong{}, judged: map[string]bool{},
		proven: map[string]*moment{},
	}
}

// changed notes a change of the model.
func (v *configWatch) changed(verb string, after workloads.State) (acknowledged func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := v.moments[len(v.moments)-1]
	next := &moment{state: after, verb: verb, begun: time.Now()}
	for was, is := range last.state.Altered(after) {
		if reflect.DeepEqual(was, is) {
			continue
		}
		of := was
		if of == nil {
			of = is
		}
		part := of.Part()
		next.moved = append(next.moved, part)
		v.index.Claim(is, 1)
		v.versions[part] = append(v.versions[part], is)
	}
	v.moments = append(v.moments, next)
	if len(v.moments) > historyLimit {
		v.forget()
		v.crowded = true
	}
	v.stale = true
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		next.acked = time.Now()
	}
}

// Agreed notes that all changes that were acknowledged at a time are in force.
func (v *configWatch) Agreed(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.inForce(at)
	if len(v.moments) == 1 {
		v.crowded = false
	}
}

// inForce forgets what was before the changes that were acknowledged by then.
func (v *configWatch) inForce(at time.Time) {
	for len(v.moments) > 1 && !v.moments[1].acked.IsZero() && v.moments[1].acked.Before(at) {
		v.forget()
	}
}

// forget takes the first change that is remembered for one that is in force.
func (v *configWatch) forget() {
	first := v.moments[0].state
	for _, p := range v.moments[1].moved {
		v.index.Claim(first.Object(p), -1)
		if v.versions[p] = v.versions[p][1:]; len(v.versions[p]) == 0 {
			delete(v.versions, p)
		}
	}
	v.moments = v.moments[1:]
}

// prove notes that the newest state was seen to be in force for a request.
func (v *configWatch) prove(r routing.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.proven[r.String()] = v.moments[len(v.moments)-1]
}

// Leave and Back change nothing: what is in use stays while the SUT is away.
func (v *configWatch) Leave() {}

// Back is as Leave says.
func (v *configWatch) Back() {}

// judge looks at a push.
func (v *configWatch) judge(p proxyconfig.Push) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.Refused != "" {
		v.refused = append(v.refused, p.Refused)
		return
	}
	if v.crowded {
		v.pushes.Crowded++
		return
	}
	v.pushes.Judged++
	v.inForce(p.Stamp.At.Add(-engine.DefaultBound)) // a change that has not come by then is found by who waits for it
	v.resample()
	for _, r := range v.sample {
		v.look(r, p)
	}
}

// look judges what a push makes of one request.
func (v *configWatch) look(r routing.Request, p proxyconfig.Push) {
	key := r.String()
	v.judged[key] = true
	legal, names := v.legal(r)
	got := v.answer(p.Config, r, names)
	right := slices.ContainsFunc(legal, func(a routing.Answer) bool { return agrees(got, a) }) || comesOrGoes(legal) && among(got.Backends, legal)
	b := v.open[key]
	switch {
	case right && b != nil:
		b.last = p.Stamp.At
		v.told = append(v.told, b)
		delete(v.open, key)
	case right:
	case b != nil:
		b.number++
		b.last = p.Stamp.At
	case v.muddled(r):
		v.pushes.Crowded++
	default:
		v.open[key] = v.wrong(r, p, legal, got)
	}
}

// relevant are the states that may be in use, but for those that a change made which moved nothing of a request's, and all the parts that can make a
// difference to it.
func (v *configWatch) relevant(r routing.Request) (all []*moment, parts []workloads.Part) {
	first := v.moments[0]
	parts = v.index.Near(r, func(p workloads.Part) (all []workloads.Object) {
		for _, o := range append([]workloads.Object{first.state.Object(p)}, v.versions[p]...) {
			if o != nil {
				all = append(all, o)
			}
		}
		return all
	})
	near := make(map[workloads.Part]bool, len(parts))
	for _, p := range parts {
		near[p] = true
	}
	all = []*moment{first}
	for _, m := range v.moments[1:] {
		if slices.ContainsFunc(m.moved, func(p workloads.Part) bool { return near[p] }) {
			all = append(all, m)
		}
	}
	return all, parts
}

// muddled reports whether more is legal for a request than the answers of whole states: several objects that matter to it were written at once.
func (v *configWatch) muddled(r routing.Request) bool {
	all, parts := v.relevant(r)
	for i, m := range all[1:] {
		moved := 0
		for _, p := range m.moved {
			if slices.Contains(parts, p) {
				moved++
			}
		}
		if before := all[i]; moved > 1 || i > 0 && (before.acked.IsZero() || before.acked.After(m.begun)) {
			return true
		}
	}
	return false
}

// among reports whether all of these pods may answer by one answer or another.
func among(pods []workloads.Key, legal []routing.Answer) bool {
	for _, pod := range pods {
		if !slices.ContainsFunc(legal, func(a routing.Answer) bool { return a.Allows(pod, http.StatusOK) }) {
			return false
		}
	}
	return true
}

// comesOrGoes reports whether a request may have backends already, or no more. It may meet any status meanwhile.
func comesOrGoes(legal []routing.Answer) bool {
	return len(legal) > 1 && slices.ContainsFunc(legal, func(a routing.Answer) bool { return len(a.Backends) == 0 })
}

// legal are the answers of all states that may be in use, each once, and the names of all that may be behind them.
func (v *configWatch) legal(r routing.Request) (all []routing.Answer, every names) {
	every = names{}
	states, parts := v.relevant(r)
	proven := v.proven[r.String()]
	for i, m := range states {
		if proven != nil && i+1 < len(states) && !states[i+1].begun.After(proven.begun) {
			continue // a later one was seen to be in force
		}
		var o routing.Objects
		for _, p := range parts {
			if object := m.state.Object(p); object != nil {
				o.Put(object)
			}
		}
		for _, some := range o.Slices {
			every.add(some...)
		}
		if a := v.Dialect.Answer(o, r); !slices.ContainsFunc(all, a.Equal) {
			all = append(all, a)
		}
	}
	return all, every
}

// resample draws which requests are looked at, of those of the newest state and of those that are looked at already.
func (v *configWatch) resample() {
	if !v.stale {
		return
	}
	v.stale = false
	known := map[string]bool{}
	var stay []routing.Request
	newest := v.moments[len(v.moments)-1]
	for _, r := range v.sample { // what has gone is looked at for as long as its end is not known to be in force
		legal, _ := v.legal(r)
		if v.open[r.String()] != nil || slices.ContainsFunc(legal, func(a routing.Answer) bool { return len(a.By) > 0 }) {
			stay, known[r.String()] = append(stay, r), true
		}
	}
	fresh := slices.DeleteFunc(v.asks(newest.state), func(r routing.Request) bool { return known[r.String()] })
	v.draw.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	if room := max(0, watchedRequests-len(stay)); len(fresh) > room {
		fresh = fresh[:room]
	}
	v.sample = append(stay, fresh...)
}

// Tell tells what was seen since the last call.
func (v *configWatch) Tell(note func(report.Finding)) error {
	v.mu.Lock()
	var all []report.Difference
	for _, b := range v.told {
		all = append(all, b.difference())
	}
	for _, why := range v.refused {
		all = append(all, report.Difference{
			Violation: &report.Violation{ViolationClass: report.ViolationClass{Met: "refused"}, Packets: 1}, Fact: "a push", Want: "accepted", Got: "refused: " + why, Aspect: report.Routes, Kind: configKind,
		})
	}
	pushes, judged := v.pushes, len(v.judged)
	v.told, v.refused, v.judged, v.pushes = nil, nil, map[string]bool{}, report.PacketCounts{}
	v.mu.Unlock()
	if judged == 0 && len(all) == 0 {
		return nil
	}
	return tellWrong(report.Finding{Facts: judged, Packets: &pushes}, all, v.Known, note)
}

// Stop ends the watch.
func (v *configWatch) Stop() {
	v.unwatch()
	v.release()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = time.Now()
}

// Drain tells what Tell has not told yet, and what was not over: what is in use stays so, also where no push comes any more.
func (v *configWatch) Drain(note func(report.Finding)) error {
	v.mu.Lock()
	for key, b := range v.open {
		if b.last.Before(v.ended) {
			b.last = v.ended
		}
		v.told = append(v.told, b)
		delete(v.open, key)
	}
	v.mu.Unlock()
	return v.Tell(note)
}
