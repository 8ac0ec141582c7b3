package routed

import (
	"context"
	"fmt"
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
	for kind, at := range seen.cameBy(right) {
		w.Measure(metrics.Measurement{
			Name: "configured", Unit: metrics.Seconds,
			Labels:  []metrics.Label{{Name: "load", Value: t.Load}, {Name: "operation", Value: t.Operation}, {Name: "by", Value: kind}},
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
	c.law.follow(s)
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

// all is the label of the whole configuration.
const all = "all"

// cameBy returns when the answer was right, and when the last push of each kind before had come that changed what is behind the request.
func (a *arrivals) cameBy(right func(*proxyconfig.Config) bool) map[string]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	came, last := map[string]time.Time{}, a.before
	for _, p := range a.pushes {
		now := a.of.trace(p.Config, a.request)
		if now != last {
			came[string(p.Kind)] = p.Stamp.At
		}
		last = now
		if right(p.Config) {
			a.earlier(p.Config, came)
			came[all] = p.Stamp.At
			return came
		}
	}
	return came
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
	if len(answer.Clusters) > 0 {
		t.known = config.Clusters[answer.Clusters[0]] != nil
	}
	return t
}
