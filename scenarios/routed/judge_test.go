package routed

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/routing"
)

// class is that of the proxy's Ingresses.
const class = "own"

// proxy is a real one between the judge and real backends. It obeys the model that it was last told of, unless it is told to misbehave.
type proxy struct {
	t        *testing.T
	server   *httptest.Server
	backends map[string]*httptest.Server // by pod

	mu    sync.Mutex
	table routing.Table
	turn  int
	wrong func(n int, host string) (pod string, status int) // what it does instead with the request of a number; nothing: as it must
	n     int
}

func newProxy(t *testing.T, pods ...string) *proxy {
	p := &proxy{t: t, backends: map[string]*httptest.Server{}}
	for _, pod := range pods {
		p.backends[pod] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(requests.BackendHeader, "n/"+pod) }))
		t.Cleanup(p.backends[pod].Close)
	}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *proxy) addr() netip.AddrPort {
	return netip.MustParseAddrPort(strings.TrimPrefix(p.server.URL, "http://"))
}

// obey makes the proxy do what a state says from now on.
func (p *proxy) obey(s workloads.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table = routing.NewTable(routing.Dialect{IngressClass: class}, s)
}

func (p *proxy) misbehave(how func(n int, host string) (string, int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong, p.n = how, 0
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	a := p.table.Answer(routing.Request{Host: r.Host, Path: r.URL.Path})
	pod, status := "", 0
	if p.wrong != nil {
		p.n++
		pod, status = p.wrong(p.n, r.Host)
	}
	if pod == "" && status == 0 {
		if len(a.Backends) > 0 {
			p.turn++
			pod = a.Backends[p.turn%len(a.Backends)].Name
		} else {
			status = a.Statuses[0]
		}
	}
	p.mu.Unlock()
	if pod == "" {
		w.WriteHeader(status)
		return
	}
	to, _ := url.Parse(p.backends[pod].URL)
	httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
}

// client asks by a real client.
type client struct{ http.Client }

func (c *client) Ask(ctx context.Context, r requests.Request) requests.Answer {
	a := requests.Answer{Due: time.Now()}
	defer func() { a.Answered = time.Now() }()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.To.String()+r.Path, nil)
	if err != nil {
		a.Failure, a.Why = requests.Own, err.Error()
		return a
	}
	q.Host = r.Host
	response, err := c.Do(q)
	a.Answered = time.Now()
	if err != nil {
		a.Failure, a.Why = requests.Reset, err.Error()
		return a
	}
	_ = response.Body.Close()
	a.Answered = time.Now()
	a.Status, a.Backend = response.StatusCode, response.Header.Get(requests.BackendHeader)
	return a
}

// bench is a judge that asks when it is told to, with the proxy that it judges.
type bench struct {
	*requestWatch
	t     *testing.T
	proxy *proxy
	fleet *workloads.Fleet
}

// within is how long a change may take. It is over once settle has returned.
const within = time.Millisecond

func newBench(t *testing.T, objects ...workloads.Object) *bench {
	fleet := workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, workloads.NewState("here"))
	if err := fleet.Add(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
	s := fleet.State()
	p := newProxy(t, "a", "b", "c")
	p.obey(s)
	of := &Proxied{Asker: &client{}, Dialect: routing.Dialect{IngressClass: class}, HTTP: p.addr(), Within: within}
	v := &requestWatch{of: of, over: t.Context().Err, room: make(chan struct{}, mostUnderWay), nudge: make(chan struct{}, 1), history: newHistory(of.Dialect, s, within)}
	fleet.Watch(v.changed)
	v.draw()
	return &bench{requestWatch: v, t: t, proxy: p, fleet: fleet}
}

// ask asks for each route of the sample once.
func (b *bench) ask() {
	for _, a := range b.sample {
		b.judge(a, b.of.Ask(b.t.Context(), a.request))
	}
}

// settle waits until all that was acknowledged must be in force.
func (b *bench) settle() { time.Sleep(2 * within) }

// told returns what the judge tells.
func (b *bench) told() (f report.Finding) {
	_ = b.Tell(func(found report.Finding) { f = found })
	return f
}

func named(name string) workloads.Key { return workloads.Key{Namespace: "n", Name: name} }

// served is a service with the pods of these names behind it.
func servedBy(name string, pods ...string) []workloads.Object {
	slice := workloads.EndpointSlice{Key: named(name), Service: name, Ports: []workloads.EndpointPort{{Name: "http", Port: 8080}}}
	for _, p := range pods {
		slice.Endpoints = append(slice.Endpoints, workloads.ServiceEndpoint{Pod: named(p), Addr: netip.MustParseAddr("10.0.0.1")})
	}
	return []workloads.Object{workloads.Service{Key: named(name), Ports: []workloads.ServicePort{{Name: "http", Port: 80}}}, slice}
}

func routeTo(host, service string) workloads.Ingress {
	own, prefix := class, networkingv1.PathTypePrefix
	to := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}}}
	return workloads.Ingress{Key: named(host), Spec: networkingv1.IngressSpec{IngressClassName: &own, Rules: []networkingv1.IngressRule{{
		Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: to}}}},
	}}}}
}

// shop is two routes to a service of a and one of b.
func shop() []workloads.Object {
	return append(append(servedBy("one", "a"), servedBy("two", "b")...), routeTo("x.example", "one"), routeTo("y.example", "two"))
}

// violations wants the judge to tell these and no others, each by the host of its request, what was met and how often.
func (b *bench) violations(want ...string) []report.Difference {
	b.t.Helper()
	f := b.told()
	var got []string
	for _, d := range f.Differences {
		got = append(got, fmt.Sprintf("%s met %s %d times", strings.Split(d.Violation.Request, "/")[2], d.Violation.Met, d.Violation.Packets))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || f.Differing != len(want) || f.Error != "" {
		b.t.Errorf("got %v (%d, error %q), want %v", got, f.Differing, f.Error, want)
	}
	return f.Differences
}

// TestWrongBackendForAWhile has a route point to another's backend for some requests: it is found, named and counted exactly.
func TestWrongBackendForAWhile(t *testing.T) {
	b := newBench(t, shop()...)
	b.ask()
	b.violations()
	b.proxy.misbehave(func(_ int, host string) (string, int) {
		if host == "x.example" {
			return "b", 0
		}
		return "", 0
	})
	begun := time.Now()
	for range 7 {
		b.ask()
	}
	ended := time.Now()
	b.proxy.misbehave(nil)
	b.ask()
	found := b.violations("x.example met wrong backend 7 times")
	if v := found[0]; v.Violation.Legal != "200 of n/a" || v.Violation.Answers[0] != "200 of n/b" || v.From.Before(begun) || v.Until.After(ended) {
		t.Errorf("got %+v, %+v", v, v.Violation)
	}
}

// TestOneErrorInTenThousand has one answer of 10,000 be a 503.
func TestOneErrorInTenThousand(t *testing.T) {
	b := newBench(t, append(servedBy("one", "a"), routeTo("x.example", "one"))...)
	b.proxy.misbehave(func(n int, _ string) (string, int) {
		if n == 7_777 {
			return "", http.StatusServiceUnavailable
		}
		return "", 0
	})
	for range 10_000 {
		b.ask()
	}
	if n := b.seen.requests.Judged; n != 10_000 {
		t.Errorf("%d requests were judged", n)
	}
	b.violations("x.example met 503 1 times")
}

// TestDeletedRouteStillAnswers has a route that is deleted go on to be answered: that is legal until the change must be in force.
func TestDeletedRouteStillAnswers(t *testing.T) {
	b := newBench(t, shop()...)
	if err := b.fleet.RemoveIngresses(t.Context(), []workloads.Key{named("y.example")}); err != nil {
		t.Fatal(err)
	}
	b.draw()
	b.settle()
	for range 3 {
		b.ask()
	}
	b.proxy.obey(b.fleet.State())
	b.ask()
	found := b.violations("y.example met wrong backend 3 times")
	if v := found[0].Violation; v.Legal != "404" || v.After != "delete ingress" || len(v.Changes) != 1 || v.Changes[0].Concerns[0] != "Ingress n/y.example" {
		t.Errorf("got %+v", v)
	}
}

// TestStaleEndpoint has a pod that is behind a service no more go on to be asked, by every second request.
func TestStaleEndpoint(t *testing.T) {
	b := newBench(t, append(servedBy("one", "a", "b"), routeTo("x.example", "one"))...)
	b.ask()
	if err := b.fleet.ChangeEndpointSlices(t.Context(), []workloads.EndpointSlice{servedBy("one", "a")[1].(workloads.EndpointSlice)}); err != nil {
		t.Fatal(err)
	}
	b.settle()
	b.proxy.misbehave(func(n int, _ string) (string, int) { return []string{"a", "b"}[n%2], 0 })
	for range 6 {
		b.ask()
	}
	b.violations("x.example met wrong backend 1 times", "x.example met wrong backend 1 times", "x.example met wrong backend 1 times")
}

// TestOldAndNewAreLegal wants either answer while a change is written and need not be in force, and no other; once the new one was seen, the old
// one is wrong.
func TestOldAndNewAreLegal(t *testing.T) {
	b := newBench(t, shop()...)
	b.history.within = time.Hour
	if err := b.fleet.ChangeIngresses(t.Context(), []workloads.Ingress{routeTo("x.example", "two")}); err != nil {
		t.Fatal(err)
	}
	b.ask() // the old one
	b.violations()
	b.proxy.misbehave(func(_ int, host string) (string, int) {
		return map[string]string{"x.example": "c", "y.example": "b"}[host], 0
	})
	b.ask()
	b.violations("x.example met wrong backend 1 times")
	b.proxy.misbehave(nil)
	b.proxy.obey(b.fleet.State())
	b.ask() // the new one
	b.violations()
	b.proxy.misbehave(func(_ int, host string) (string, int) {
		return map[string]string{"x.example": "a", "y.example": "b"}[host], 0
	})
	b.ask()
	b.violations("x.example met wrong backend 1 times")
}

// TestPartsThatComeTogether wants what a controller may make of parts that came one after the other: a route whose endpoints it has not seen yet.
func TestPartsThatComeTogether(t *testing.T) {
	b := newBench(t)
	b.history.within = time.Hour
	all := append(servedBy("one", "a"), routeTo("x.example", "one"))
	if err := b.fleet.Add(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	b.draw()
	for _, status := range []int{http.StatusNotFound, http.StatusServiceUnavailable} {
		b.proxy.misbehave(func(int, string) (string, int) { return "", status })
		b.ask()
	}
	b.proxy.misbehave(nil)
	b.proxy.obey(b.fleet.State())
	b.ask()
	b.violations()
	b.proxy.misbehave(func(int, string) (string, int) { return "", http.StatusBadGateway })
	b.ask()
	b.violations("x.example met 502 1 times")
}

// TestLostWhileAway counts what fails while the SUT is kept from running, and judges what comes after.
func TestLostWhileAway(t *testing.T) {
	b := newBench(t, shop()...)
	b.Leave()
	b.proxy.misbehave(func(int, string) (string, int) { return "", http.StatusBadGateway })
	b.ask()
	b.Back()
	time.Sleep(time.Millisecond) // a request that began no later than that is lost as well
	f := b.told()
	if f.Note != "2 requests were lost while the SUT was kept from running: 2 502" || f.Differing != 0 {
		t.Errorf("got %+v", f)
	}
	b.ask()
	b.violations("x.example met 502 1 times", "y.example met 502 1 times")
}

// TestNothingIsJudgedOnceTheRunHasEnded wants no answer to be judged that comes once the scenario's context has ended, and those before it to count.
func TestNothingIsJudgedOnceTheRunHasEnded(t *testing.T) {
	b := newBench(t, shop()...)
	b.proxy.misbehave(func(int, string) (string, int) { return "", http.StatusBadGateway })
	b.ask()
	ctx, interrupt := context.WithCancelCause(t.Context())
	b.over = ctx.Err
	b.ask()
	interrupt(engine.ErrInterrupted)
	for range 3 {
		b.ask()
	}
	b.violations("x.example met 502 2 times", "y.example met 502 2 times")
	b.ask()
	b.violations()
}

// held is an Asker whose answers wait until they are let go.
type held struct {
	asked, let chan struct{}
}

func (h held) Ask(context.Context, requests.Request) requests.Answer {
	h.asked <- struct{}{}
	<-h.let
	now := time.Now()
	return requests.Answer{Due: now, Answered: now, Status: http.StatusBadGateway}
}

// TestWatchStopsOnceAllIsAnswered ends a watch with a request under way: what the scenario removes must not begin before it is answered. If the run was
// interrupted, whatever it is answered is not wrong.
func TestWatchStopsOnceAllIsAnswered(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		fleet := workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, workloads.NewState("here"))
		if err := fleet.Add(t.Context(), shop()...); err != nil {
			t.Fatal(err)
		}
		h := held{make(chan struct{}, mostUnderWay), make(chan struct{})}
		ctx, interrupt := context.WithCancelCause(t.Context())
		v := startWatch(ctx, fleet, &Proxied{Asker: h, Dialect: routing.Dialect{IngressClass: class}})
		<-h.asked
		if interrupted {
			interrupt(engine.ErrInterrupted)
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			v.Stop()
			if n := len(v.room); n > 0 {
				t.Errorf("it has stopped, and %d requests are under way", n)
			}
		}()
		v.done.Wait() // nothing more is asked
		close(h.let)
		<-stopped
		wrong := 0
		err := v.Drain(func(f report.Finding) { wrong += f.Differing })
		if (wrong > 0) == interrupted || (err != nil) == interrupted {
			t.Errorf("interrupted %v: %d violations, %v", interrupted, wrong, err)
		}
		interrupt(nil)
	}
}

// TestProbeTellsWhatDiffers asks by the probe of each step.
func TestProbeTellsWhatDiffers(t *testing.T) {
	b := newBench(t, shop()...)
	s, p := b.fleet.State(), Answered{b.of}
	b.proxy.misbehave(func(_ int, host string) (string, int) { return map[string]string{"y.example": "c"}[host], 0 })
	want := p.Want(s)
	got, err := p.Got(t.Context(), s)
	if err != nil || len(want) != 3 {
		t.Fatal(err, want)
	}
	differ := 0
	for f, w := range want {
		if got[f] != w {
			differ++
			if got[f] != "200 of n/c" || w != "200 of n/b" || !strings.Contains(f.Subject, "y.example") {
				t.Errorf("%s: got %s, want %s", f, got[f], w)
			}
		}
	}
	if differ != 1 {
		t.Errorf("%d differ", differ)
	}
}

// TestAgreementOnWhatIsGone wants the probe to go on asking for a route that is deleted, and no agreement to prove anything of what it has not asked for.
func TestAgreementOnWhatIsGone(t *testing.T) {
	b := newBench(t, shop()...)
	b.history.within = time.Hour
	if err := b.fleet.RemoveIngresses(t.Context(), []workloads.Key{named("y.example")}); err != nil {
		t.Fatal(err)
	}
	b.Agreed(time.Now())
	b.ask()
	b.violations() // the old answer is legal still: nobody has asked
	p := Answered{b.of}
	b.of.past.with([]routing.Request{{Host: "y.example", Path: "/below"}})
	if want := p.Want(b.fleet.State()); want[requested(routing.Request{Host: "y.example", Path: "/below"})] != "404" {
		t.Errorf("got %v", want)
	}
	b.Agreed(time.Now())
	b.ask()
	b.violations("y.example met wrong backend 1 times")
}
