package routed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// Configure is a change whose way into the configuration is timed.
type Configure struct {
	Operation string          // such as "route added"
	Load      string          // what goes on besides
	Request   routing.Request // whose answer it changes
	Do        func(context.Context) error
}

// Time makes a change and records how long it took from the beginning of the write until the configuration gave the answer of the model, all of it and
// each kind of resource by itself. It errs if that is not so within engine.DefaultBound.
func (c *Configured) Time(ctx context.Context, w *engine.World, t Configure) error {
	begun := time.Now()
	seen := &arrivals{of: c, request: t.Request, begun: begun, before: c.trace(c.Follower.Config(), t.Request)}
	stop := c.Follower.Watch(seen.note)
	defer stop()
	if err := t.Do(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.Operation, err)
	}
	want, names := c.model(w.Fleet.State(), t.Request)
	within, cancel := context.WithTimeout(ctx, engine.DefaultBound)
	defer cancel()
	right := func(config *proxyconfig.Config) bool { return agrees(c.answer(config, t.Request, names), want) }
	if err := c.Follower.Await(within, right); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got := c.answer(c.Follower.Config(), t.Request, names)
		return fmt.Errorf("after %s: %s: not %q within %v (last %q): %w", t.Operation, t.Request, tell(want), engine.DefaultBound, tell(got), engine.ErrBroken)
	}
	if watch, ok := w.Watching().(*configWatch); ok {
		watch.prove(t.Request)
	}
	came, gap := seen.cameBy(right)
	labels := []metrics.Label{{Name: "load", Value: t.Load}, {Name: "operation", Value: t.Operation}}
	m := metrics.Measurement{
		Name: "configured otherwise", Unit: metrics.Seconds, Labels: labels,
		Doc: "How long configurations on the way were in use with which a proxy would have answered 503 to a request that had an answer before and after.",
	}
	if gap > 0 {
		m.Samples = []metrics.Sample{metrics.Since(begun, gap, 0)}
	} else {
		m.Without = 1
	}
	w.Measure(m)
	for kind, at := range came {
		w.Measure(metrics.Measurement{
			Name: "configured", Unit: metrics.Seconds,
			Labels:  append(slices.Clip(labels), metrics.Label{Name: "by", Value: kind}),
			Doc:     "From the beginning of the API write until a push had arrived with which a proxy would answer as the model says, and until what each kind of resource adds to that had come.",
			Samples: []metrics.Sample{metrics.Since(begun, at.Sub(begun), 0)},
		})
	}
	return nil
}

// model says what may answer a request in a state, and who is behind the addresses.
func (c *Configured) model(s workloads.State, r routing.Request) (routing.Answer, names) {
	c.law.Lock()
	defer c.law.Unlock()
	if !c.law.now.Equal(s) {
		c.law.follow(s)
		c.law.all = nil
	}
	return c.law.answer(r)
}

// arrivals are the pushes of a change as they matter to one request.
type arrivals struct {
	of      *Configured
	request routing.Request
	begun   time.Time
	before  trace

	mu     sync.Mutex
	pushes []proxyconfig.Push
}

func (a *arrivals) note(p proxyconfig.Push) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.Refused == "" {
		a.pushes = append(a.pushes, p)
	}
}

// entire is the label of the whole configuration.
const entire = "all"

// cameBy returns when the answer was right, and when the last push of each kind before had come that changed what is behind the request. gap
// is how long it had no backend on the way, though it had some before and has some since.
func (a *arrivals) cameBy(right func(*proxyconfig.Config) bool) (came map[string]time.Time, gap time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	came = map[string]time.Time{}
	last, since := a.before, time.Time{}
	for _, p := range a.pushes {
		now := a.of.trace(p.Config, a.request)
		if !since.IsZero() {
			gap += p.Stamp.At.Sub(since)
			since = time.Time{}
		}
		if now.status == http.StatusServiceUnavailable && a.before.status == 0 {
			since = p.Stamp.At
		}
		if now != last {
			came[string(p.Kind)] = p.Stamp.At
		}
		last = now
		if right(p.Config) {
			a.earlier(p.Config, came)
			came[entire] = p.Stamp.At
			if now.status != 0 {
				gap = 0
			}
			return came, gap
		}
	}
	return came, gap
}

// earlier adds when clusters and endpoints came that were there before the route that leads to them.
func (a *arrivals) earlier(config *proxyconfig.Config, came map[string]time.Time) {
	if _, ok := came[string(proxyconfig.Tables)]; !ok {
		return
	}
	add := func(kind proxyconfig.Kind, stamp proxyconfig.Stamp) {
		if _, known := came[string(kind)]; !known && stamp.At.After(a.begun) {
			came[string(kind)] = stamp.At
		}
	}
	for _, name := range config.Answer(a.of.request(a.request)).Clusters {
		if cluster := config.Clusters[name]; cluster != nil {
			add(proxyconfig.Clusters, cluster.Stamp)
			if e := config.Endpoints[cluster.Service]; e != nil {
				add(proxyconfig.Endpoints, e.Stamp)
			}
		}
	}
}

// trace is what is behind a request: it changes if the push of a kind says something new of it.
type trace struct {
	status    int
	clusters  string
	known     bool // the first of the clusters
	endpoints string
}

func (c *Configured) trace(config *proxyconfig.Config, r routing.Request) trace {
	answer := config.Answer(c.request(r))
	t := trace{status: answer.Status, endpoints: fmt.Sprint(answer.Endpoints), clusters: fmt.Sprint(answer.Clusters)}
	if answer.Refused {
		t.status = http.StatusNotFound // see answer
	}
	if len(answer.Clusters) > 0 {
		t.known = config.Clusters[answer.Clusters[0]] != nil
	}
	return t
}
