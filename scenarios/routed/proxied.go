package routed

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/routing"
)

// BackendPort is where all local pods serve HTTP.
const BackendPort = 8080

// Asker makes requests. It is safe for concurrent use.
type Asker interface {
	Ask(ctx context.Context, r requests.Request) requests.Answer
}

// Proxied are the effects of a SUT that passes requests on to pods: each request must be answered by a pod, or with a status, that the model allows, after
// every step and all along.
type Proxied struct {
	Asker   Asker
	Dialect routing.Dialect
	HTTP    netip.AddrPort
	HTTPS   netip.AddrPort           // invalid: it does not listen for TLS
	Closes  bool                     // a connection that is not taken is what 404 is elsewhere
	Within  time.Duration            // how long a change may take, once it is acknowledged, until it is in force; 0: engine.DefaultBound
	Pace    int                      // requests a second that are made all along; 0: 400
	Links   func() ([]string, error) // of the node
	Known   []report.KnownIssue      // of the SUT's release
	Inspect effects.Inspector        // nil: nobody looks into the SUT
	Number  int                      // of the SUT's instance that this is about, if there are several; 0: there is one
	Others  []*Proxied               // its other instances, each at a place of its own: all of this must hold of each

	past past
}

// pastMost is how many requests for routes that are there no more are asked on.
const pastMost = 256

// past are the requests that probes make: for the routes that are there, and for those that were. It is safe for concurrent use.
type past struct {
	mu    sync.Mutex
	asked map[string]routing.Request
	order []string // in which they came
}

// with adds requests and returns all. Of those that are not among them it keeps the newest.
func (p *past) with(now []routing.Request) []routing.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[string]routing.Request{}
	}
	current := make(map[string]bool, len(now))
	for _, r := range now {
		key := r.String()
		if current[key] = true; p.asked[key].Host == "" {
			p.order = append(p.order, key)
		}
		p.asked[key] = r
	}
	all, gone := now, 0
	for i := len(p.order) - 1; i >= 0; i-- {
		key := p.order[i]
		if current[key] {
			continue
		}
		if gone++; gone <= pastMost {
			all = append(all, p.asked[key])
			continue
		}
		delete(p.asked, key)
		p.order = slices.Delete(p.order, i, i+1)
	}
	return all
}

// has reports whether probes make a request.
func (p *past) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, asked := p.asked[key]
	return asked
}

// ProxiedOf returns the effects of a world with such a SUT; false: it has others.
func ProxiedOf(w *engine.World) (*Proxied, bool) {
	p, ok := w.Effects.(*Proxied)
	return p, ok
}

// Inspector returns who looks into the SUT; nil: nobody does.
func (p *Proxied) Inspector() effects.Inspector { return p.Inspect }

// Ready wants nothing: the SUT says by itself that it is ready.
func (p *Proxied) Ready(*engine.World) []engine.Probe { return nil }

// Always asks for each route, and for what is of none.
func (p *Proxied) Always(*engine.World) (all []engine.Probe) {
	for _, each := range p.instances() {
		all = append(all, Answered{each}, Shared{each}, Certificates{each})
	}
	return all
}

// instances are all of the SUT.
func (p *Proxied) instances() []*Proxied { return append([]*Proxied{p}, p.Others...) }

// Entrances are where the SUT's instances take requests, or those by TLS; one that is not valid takes none.
func (p *Proxied) Entrances(secure bool) (all []netip.AddrPort) {
	for _, each := range p.instances() {
		if secure {
			all = append(all, each.HTTPS)
		} else {
			all = append(all, each.HTTP)
		}
	}
	return all
}

// named is a name of what is about one instance alone.
func (p *Proxied) named(name string) string {
	if p.Number == 0 {
		return name
	}
	return fmt.Sprintf("%s of instance %d", name, p.Number)
}

// who is who is asked, in words.
func (p *Proxied) who() string {
	if p.Number == 0 {
		return "the SUT"
	}
	return fmt.Sprintf("instance %d", p.Number)
}

// Residue wants nothing of the scenario to be left in the API and in the kernel.
func (p *Proxied) Residue(w *engine.World) (engine.Probe, error) {
	links, err := p.Links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return effects.Residue{Baseline: links, Links: p.Links, Verify: w.Fleet.Verify}, nil
}

// Watch asks for a sample of routes and judges each answer, of each instance by what its own answers have proven.
func (p *Proxied) Watch(ctx context.Context, w *engine.World) engine.Watch {
	if len(p.Others) == 0 {
		return startWatch(ctx, w.Fleet, p)
	}
	return watchAll(ctx, w.Fleet, p.instances())
}

// Ask makes a request of the model's on the wire. Connections are kept for later ones.
func (p *Proxied) Ask(ctx context.Context, r routing.Request) Outcome {
	o := outcomeOf(p.Asker.Ask(ctx, p.onWire(r)))
	if p.Closes && o.untaken(r.TLS) {
		o.Status, o.Failure = http.StatusNotFound, ""
	}
	return o
}

// AskTimeout is how long an answer is waited for.
const AskTimeout = 5 * time.Second

func (p *Proxied) onWire(r routing.Request) requests.Request {
	q := requests.Request{To: p.HTTP, TLS: r.TLS, Method: r.Method, Host: r.Host, Path: r.Path, Keep: true, Timeout: AskTimeout}
	if r.TLS {
		q.To = p.HTTPS
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		q.Headers = append(q.Headers, requests.Header{Name: name, Value: r.Header[name]})
	}
	for i, name := range slices.Sorted(maps.Keys(r.Query)) {
		q.Path += map[bool]string{true: "?", false: "&"}[i == 0] + name + "=" + r.Query[name]
	}
	return q
}

// Outcome is what became of a request.
type Outcome struct {
	Pod     workloads.Key // that answered; its zero value: none of ours did
	Status  int           // 0: there was no answer
	Failure requests.Failure
	Why     string // of the failure
	Answer  requests.Answer
}

func outcomeOf(a requests.Answer) Outcome {
	o := Outcome{Status: a.Status, Failure: a.Failure, Why: a.Why, Answer: a}
	if namespace, name, ok := strings.Cut(a.Backend, "/"); ok {
		o.Pod = workloads.Key{Namespace: namespace, Name: name}
	}
	return o
}

// untaken reports whether nobody took the connection: nothing listens there, or not any more when its turn came, or no certificate is shown for the
// name that a TLS client asks for.
func (o Outcome) untaken(secure bool) bool {
	switch o.Failure {
	case requests.Refused:
		return true
	case requests.Reset:
		return o.Answer.First.IsZero()
	case requests.Handshake, requests.Closed:
		return secure && len(o.Answer.Certificate) == 0
	}
	return false
}

// allowed reports whether the model allows what became of a request.
func (o Outcome) allowed(a routing.Answer) bool {
	return o.Failure == "" && a.Allows(o.Pod, o.Status)
}

// String tells the outcome in words, such as "200 of a/web-1", "503" or "reset".
func (o Outcome) String() string {
	switch {
	case o.Failure != "":
		return string(o.Failure)
	case o.Pod != (workloads.Key{}):
		return fmt.Sprintf("%d of %s", o.Status, o.Pod)
	}
	return fmt.Sprint(o.Status)
}

// Answered wants each route's request to be answered as the model says, also those for routes that were there before, and one that is of no route.
type Answered struct{ *Proxied }

// Name returns the probe's name.
func (p Answered) Name() string { return p.named("requests") }

// Want asks the model.
func (p Answered) Want(s workloads.State) engine.Facts { return p.want(s, p.asks(s)) }

// asks are the requests of a state, and of the routes that were there before: what was deleted must be answered by nobody.
func (p Answered) asks(s workloads.State) []routing.Request { return p.past.with(asksOf(p.Dialect, s)) }

func (p Answered) want(s workloads.State, all []routing.Request) engine.Facts {
	table, facts := routing.NewTable(p.Dialect, s), engine.Facts{}
	for _, r := range all {
		facts[requested(r)] = table.Answer(r).String()
	}
	return facts
}

// Got makes the requests. Any answer that the model allows is taken for what it says.
func (p Answered) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	return p.got(ctx, s, p.asks(s))
}

func (p Answered) got(ctx context.Context, s workloads.State, all []routing.Request) (engine.Facts, error) {
	table := routing.NewTable(p.Dialect, s)
	outcomes, err := p.askAll(ctx, all)
	if err != nil {
		return nil, err
	}
	facts := engine.Facts{}
	for i, r := range all {
		want := table.Answer(r)
		if facts[requested(r)] = outcomes[i].String(); outcomes[i].allowed(want) {
			facts[requested(r)] = want.String()
		}
	}
	return facts, nil
}

func requested(r routing.Request) report.Fact {
	return report.Fact{Aspect: report.Requests, Kind: report.Request, Subject: r.String()}
}

// atOnce is how many requests a probe has under way.
const atOnce = 32

// askAll makes requests and returns what became of each. It is an error if one of them could not be made.
func (p *Proxied) askAll(ctx context.Context, all []routing.Request) ([]Outcome, error) {
	outcomes := make([]Outcome, len(all))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, r := range all {
		group.Go(func() error {
			o := p.Ask(ctx, r)
			if outcomes[i] = o; o.Failure.Ours() {
				return fmt.Errorf("%s: %s: %s", r, o.Failure, o.Why)
			}
			return nil
		})
	}
	return outcomes, group.Wait()
}

// asksOf are the requests of a state: one for each of its routes, and one that is of none.
func asksOf(d routing.Dialect, s workloads.State) []routing.Request {
	return append(d.Requests(s), nobody)
}

// Shared wants the requests of a route to reach each of its pods, and none that is no longer one of them. It looks at a few routes with few pods.
type Shared struct{ *Proxied }

const (
	sharedRoutes = 8 // that are looked at
	sharedMost   = 8 // pods of such a route
	sharedTimes  = 4 // how often each pod's turn should come
)

// Name returns the probe's name.
func (p Shared) Name() string { return p.named("shares") }

// routes returns the routes that are looked at, with their pods.
func (p Shared) routes(s workloads.State) (all []routing.Request, pods [][]workloads.Key) {
	table := routing.NewTable(p.Dialect, s)
	for _, r := range p.Dialect.Requests(s) {
		a := table.Answer(r)
		if n := len(a.Backends); n > 1 && n <= sharedMost && len(a.By) == 1 {
			all, pods = append(all, r), append(pods, a.Backends)
		}
		if len(all) == sharedRoutes {
			break
		}
	}
	return all, pods
}

// Want names the pods of the routes.
func (p Shared) Want(s workloads.State) engine.Facts {
	facts := engine.Facts{}
	all, pods := p.routes(s)
	for i, r := range all {
		for _, pod := range pods[i] {
			facts[share(r, pod.String())] = "answers"
		}
	}
	return facts
}

// Got makes some requests for each pod.
func (p Shared) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	all, pods := p.routes(s)
	facts := engine.Facts{}
	for i, r := range all {
		many := slices.Repeat([]routing.Request{r}, sharedTimes*len(pods[i]))
		outcomes, err := p.askAll(ctx, many)
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes {
			who := o.Pod.String()
			if o.Pod == (workloads.Key{}) {
				who = o.String()
			}
			facts[share(r, who)] = "answers"
		}
	}
	return facts, nil
}

func share(r routing.Request, who string) report.Fact {
	return report.Fact{Aspect: report.Requests, Kind: report.Request, Subject: "pods of " + r.String(), Part: who}
}
