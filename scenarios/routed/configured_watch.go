package routed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
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
	// historyLimit is how many states are remembered beside the one that is known to be in force: what a push says while there are more is not judged.
	historyLimit = 100
	// neverWrong names what the watch finds.
	neverWrong = "never wrong"
)

// moment is a state of the model with the change that made it.
type moment struct {
	law   *law
	verb  string
	begun time.Time
	acked time.Time // zero: it is still being written
	moved int       // how many objects the change moved
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
	sample  []routing.Request
	stale   bool
	draw    *rand.Rand
	open    map[string]*wrong // by the request, while it goes on
	told    []*wrong          // over, and not told yet
	judged  map[string]bool   // requests since the last finding
	pushes  report.PacketCounts
	refused []string
}

// wrong is a time in which a proxy would have answered a request wrongly.
type wrong struct {
	request      routing.Request
	from, until  time.Time
	legal, met   string
	after        string
	afterBegun   time.Time
	pushes       int
	kind         proxyconfig.Kind
	why, version string
}

// Watch judges every push from now on.
func (c *Configured) Watch(_ context.Context, w *engine.World) engine.Watch {
	first := &moment{law: newLaw(c.Dialect)}
	first.law.follow(w.Fleet.State())
	v := &configWatch{
		Configured: c, moments: []*moment{first}, stale: true, draw: rand.New(rand.NewPCG(1, 1)), open: map[string]*wrong{}, judged: map[string]bool{},
	}
	w.Fleet.Watch(v.changed)
	v.release = func() { w.Fleet.Watch(nil) }
	v.unwatch = c.Follower.Watch(v.judge)
	return v
}

// changed notes a change of the model.
func (v *configWatch) changed(verb string, after workloads.State) (acknowledged func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := v.moments[len(v.moments)-1]
	next := &moment{law: last.law.copyTo(after), verb: verb, begun: time.Now()}
	for range last.law.now.Altered(after) {
		next.moved++
	}
	v.moments = append(v.moments, next)
	if len(v.moments) > historyLimit {
		v.moments, v.crowded = slices.Delete(v.moments, 1, 2), true
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
	for len(v.moments) > 1 && !v.moments[1].acked.IsZero() && v.moments[1].acked.Before(at) {
		v.moments = v.moments[1:]
	}
	if len(v.moments) == 1 {
		v.crowded = false
	}
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
	right := slices.ContainsFunc(legal, func(a routing.Answer) bool { return agrees(got, a) })
	b := v.open[key]
	switch {
	case right && b != nil:
		b.until = p.Stamp.At
		v.told = append(v.told, b)
		delete(v.open, key)
	case right:
	case b != nil:
		b.pushes++
		b.until = p.Stamp.At
	case v.muddled(r):
		v.pushes.Crowded++
	default:
		v.open[key] = v.wrong(r, p, legal, got)
	}
}

// muddled reports whether more is legal for a request than the answers of whole states: several objects that matter to it were written at once.
func (v *configWatch) muddled(r routing.Request) bool {
	var last *moment // that moved something of the request's
	for i := 1; i < len(v.moments); i++ {
		m, moved := v.moments[i], 0
		for _, p := range m.law.near(r, v.moments[i-1].law) {
			if !reflect.DeepEqual(m.law.now.Object(p), v.moments[i-1].law.now.Object(p)) {
				moved++
			}
		}
		if moved > 1 || moved == 1 && last != nil && (last.acked.IsZero() || last.acked.After(m.begun)) {
			return true
		}
		if moved > 0 {
			last = m
		}
	}
	return false
}

func (v *configWatch) wrong(r routing.Request, p proxyconfig.Push, legal []routing.Answer, got routing.Answer) *wrong {
	last := v.moments[len(v.moments)-1]
	b := &wrong{
		request: r, from: p.Stamp.At, until: p.Stamp.At, met: tell(got), after: last.verb, afterBegun: last.begun, pushes: 1, kind: p.Kind,
		why: p.Config.Answer(v.request(r)).Why, version: p.Stamp.Version,
	}
	var texts []string
	for _, a := range legal {
		if text := tell(a); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	b.legal = strings.Join(texts, ", or ")
	return b
}

// legal are the answers of all states that may be in use, each once, and the names of all that may be behind them.
func (v *configWatch) legal(r routing.Request) (all []routing.Answer, every names) {
	every = names{}
	for _, m := range v.moments {
		a, some := m.law.answer(r)
		for addr, pod := range some {
			every[addr] = pod
		}
		if !slices.ContainsFunc(all, a.Equal) {
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
	fresh := slices.DeleteFunc(v.asks(newest.law.now), func(r routing.Request) bool { return known[r.String()] })
	v.draw.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	if room := max(0, watchedRequests-len(stay)); len(fresh) > room {
		fresh = fresh[:room]
	}
	v.sample = append(stay, fresh...)
}

// Tell tells what was seen since the last call.
func (v *configWatch) Tell(note func(report.Finding)) error {
	v.mu.Lock()
	f := report.Finding{Kind: report.Expectation, Name: neverWrong, Facts: len(v.judged)}
	packets := v.pushes
	f.Packets = &packets
	for _, b := range v.told {
		f.Violated(b.difference(), engine.MaxDifferences)
	}
	for _, why := range v.refused {
		f.Violated(report.Difference{Violation: &report.Violation{ViolationClass: report.ViolationClass{Met: "refused"}, Packets: 1}, Fact: "a push", Want: "accepted", Got: "refused: " + why, Aspect: report.Routes, Kind: configKind}, engine.MaxDifferences)
	}
	nothing := len(v.judged)+len(v.refused) == 0
	v.told, v.refused, v.judged, v.pushes = nil, nil, map[string]bool{}, report.PacketCounts{}
	v.mu.Unlock()
	if nothing {
		return nil
	}
	note(f)
	if f.Differing > 0 {
		return fmt.Errorf("%s: %w", f.First(), engine.ErrBroken)
	}
	return nil
}

// Stop ends the watch.
func (v *configWatch) Stop() {
	v.unwatch()
	v.release()
}

// Drain tells what Tell has not told yet, and what was not over.
func (v *configWatch) Drain(note func(report.Finding)) error {
	v.mu.Lock()
	for key, b := range v.open {
		v.told = append(v.told, b)
		delete(v.open, key)
	}
	v.mu.Unlock()
	return v.Tell(note)
}

// difference is what was wrong as data, and in words.
func (b *wrong) difference() report.Difference {
	got := fmt.Sprintf("%s for %v from %s on, in %d configurations, by %s %s", b.met, b.until.Sub(b.from).Round(100*time.Microsecond), b.from.UTC().Format("15:04:05.000"), b.pushes, b.kind, b.version)
	if b.why != "" {
		got += " (" + b.why + ")"
	}
	if b.after != "" {
		got += fmt.Sprintf(", %v after %q began", b.from.Sub(b.afterBegun).Round(100*time.Microsecond), b.after)
	}
	return report.Difference{
		Violation: &report.Violation{ViolationClass: report.ViolationClass{Protocol: string(b.kind), Met: b.kindOf(), After: b.after}, Legal: b.legal, Packets: b.pushes},
		Fact:      b.request.String(), Want: b.legal, Got: got, Aspect: report.Packets, Kind: configKind, Subject: b.request.String(), From: b.from, Until: b.until,
	}
}

// kindOf is what was met in a word: the status, or that others' endpoints were.
func (b *wrong) kindOf() string {
	if strings.Contains(b.met, "/") {
		return "others"
	}
	return b.met
}
