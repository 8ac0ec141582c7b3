//go:build linux

package routed

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/routing"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

const (
	// perChange is how many requests are judged for each change: a watch makes 400 a second, beside 20 changes a second.
	perChange = 20
	// changesKept is how many changes a watch then remembers: those of forty seconds. A benchmark begins with so many, and anew after as many more.
	changesKept = 800
)

// benchedWatch is a watch that asks nothing by itself, with the pod that each of its routes leads to.
type benchedWatch struct {
	*requestWatch
	state    workloads.State
	services []string
	leads    map[string]string // hosts to pods
	changes  int
}

// benchWatch watches so many routes, each to a service of its own with one pod, whose name pod gives.
func benchWatch(routes int, of *Proxied, pod func(route int) string) *benchedWatch {
	b := &benchedWatch{state: workloads.NewState("here"), leads: map[string]string{}}
	for i := range routes {
		service := fmt.Sprintf("s%d", i)
		b.services = append(b.services, service)
		b.leads[b.host(i)] = pod(i)
		for _, o := range append(servedBy(service, pod(i)), routeTo(b.host(i), service)) {
			b.state.Put(o)
		}
	}
	b.requestWatch = &requestWatch{
		of: of, over: context.Background().Err, room: make(chan struct{}, mostUnderWay), nudge: make(chan struct{}, 1), history: newHistory(of.Dialect, b.state, engine.DefaultBound),
	}
	b.draw()
	return b
}

func (w *benchedWatch) host(route int) string { return fmt.Sprintf("h%d.example", route) }

// change leads a route to another service, of those that are asked for and of all by turns, and tells the watch as a Fleet does.
func (w *benchedWatch) change() {
	n := w.changes
	w.changes++
	host, service := w.host(n%len(w.services)), (n+n/len(w.services)+1)%len(w.services)
	if n%2 == 0 {
		host = w.sample[n/2%len(w.sample)].request.Host
	}
	w.state.Put(routeTo(host, w.services[service]))
	acknowledged := w.changed("change ingress", w.state)
	w.leads[host] = fmt.Sprintf("p%d", service)
	acknowledged()
}

// right is the answer that the newest state allows.
func (w *benchedWatch) right(a *asking) Outcome {
	now := time.Now()
	return Outcome{Pod: named(w.leads[a.request.Host]), Status: 200, Answer: requests.Answer{Due: now, Answered: now}}
}

// answers judges as many answers as are given until the next change.
func (w *benchedWatch) answers() {
	for n := range perChange {
		a := w.sample[(w.changes*perChange+n)%len(w.sample)]
		w.judge(a, w.right(a))
	}
}

// wants ends the benchmark unless exactly so many answers were judged, none was wrong, and all were strict if they should be.
func (w *benchedWatch) wants(b *testing.B, judged int, strict bool) {
	b.Helper()
	c := w.seen.requests
	if c.Judged != judged || c.Crowded > 0 || len(w.seen.violations) > 0 || w.seen.failed != nil || (c.Strict == judged) != strict {
		b.Fatalf("of %d answers: %+v, %d wrong, %v", judged, c, len(w.seen.violations), w.seen.failed)
	}
}

// BenchmarkJudged is how many answers a second a watch judges, on one thread: at rest, and with changes under way. What a change costs is told apart.
func BenchmarkJudged(b *testing.B) {
	pod := func(route int) string { return fmt.Sprintf("p%d", route) }
	for _, routes := range []int{10, 1000, 3000} {
		b.Run(fmt.Sprintf("at-rest/routes=%d", routes), func(b *testing.B) {
			w := benchWatch(routes, &Proxied{Dialect: routing.Dialect{IngressClass: class}}, pod)
			n := 0
			for ; b.Loop(); n++ {
				a := w.sample[n%len(w.sample)]
				w.judge(a, w.right(a))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
			w.wants(b, n, true)
		})
		b.Run(fmt.Sprintf("changing/routes=%d", routes), func(b *testing.B) {
			var w *benchedWatch
			var judging, changing time.Duration
			changes := 0
			for ; b.Loop(); changes++ {
				if changes%changesKept == 0 {
					b.StopTimer()
					w = benchWatch(routes, &Proxied{Dialect: routing.Dialect{IngressClass: class}}, pod)
					for range changesKept {
						w.change()
						w.answers()
					}
					b.StartTimer()
				}
				began := time.Now()
				w.change()
				w.draw()
				changed := time.Now()
				w.answers()
				changing, judging = changing+changed.Sub(began), judging+time.Since(changed)
			}
			w.wants(b, w.changes*perChange, false)
			b.ReportMetric(float64(changes*perChange)/judging.Seconds(), "requests/s")
			b.ReportMetric(1e3*changing.Seconds()/float64(changes), "ms/change")
		})
	}
}

// alone is a pod that lives on the node.
type alone struct{ ns *netns.Namespace }

func (a alone) Namespace(workloads.Key) (*netns.Namespace, bool) { return a.ns, true }

// BenchmarkAsked is how many requests a second a watch asks and judges, its client and one backend on loopback, without a controller between.
func BenchmarkAsked(b *testing.B) {
	const port, pod = 18_090, "p"
	netnstest.Node(b)
	ns, err := netns.Current()
	must(b, err)
	defer ns.Close()
	backends, err := web.Serve(alone{ns}, web.Serving{})
	must(b, err)
	defer backends.Close()
	must(b, backends.Add(named(pod), port))
	client, err := web.NewClient(alone{ns})
	must(b, err)
	defer client.Close()
	of := &Proxied{Asker: client, Dialect: routing.Dialect{IngressClass: class}, HTTP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
	for _, routes := range []int{10, 1000, 3000} {
		b.Run(fmt.Sprintf("routes=%d", routes), func(b *testing.B) {
			w := benchWatch(routes, of, func(int) string { return pod })
			n, began := 0, time.Now()
			for ; b.Loop(); n++ {
				w.ask(b.Context(), w.sample[n%len(w.sample)])
			}
			w.asked.Wait()
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "requests/s")
			w.wants(b, n, true)
		})
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
