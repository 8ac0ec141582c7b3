package effects

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// mirror is a world that does what the model says, but for the faults put into it.
type mirror struct {
	world *engine.World
	fault func(engine.Facts) error // changes what a look sees

	mu     sync.Mutex
	begun  time.Time
	leaks  bool // what begins alone passes, whatever the model says
	looked int  // how often connections were
}

// lookTakes is how long a look at connections takes.
const lookTakes = time.Millisecond

func newMirror(t *testing.T) *mirror {
	t.Helper()
	plan, err := workloads.NewPlan(1, workloads.Topology{Namespaces: 1, PodsPerNamespace: 3, Local: -1}, "here")
	if err != nil {
		t.Fatal(err)
	}
	state := plan.State()
	for _, p := range state.LocalPods()[:1] { // the first is closed
		k := workloads.Key{Namespace: p.Namespace, Name: "closed"}
		closed := workloads.Policy{Key: k}
		closed.Spec.PodSelector.MatchLabels = p.Labels
		state.Put(closed)
	}
	m := &mirror{fault: func(engine.Facts) error { return nil }}
	fleet := workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, state)
	m.world = &engine.World{Fleet: fleet, Plan: plan, SUT: m, Effects: &Set{Kernel: m, Connector: m, HostInterface: func(_, pod string) string { return pod }, Routed: true}}
	return m
}

func (m *mirror) see(p engine.Probe) (engine.Facts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	facts := p.Want(m.world.Fleet.State())
	return facts, m.fault(facts)
}

func (m *mirror) Gauges(context.Context) (metrics.Snapshot, error) {
	_, err := m.see(Gauges{})
	return metrics.Snapshot{metrics.Endpoints: 3, metrics.LocalEndpoints: 3, metrics.InSync: 1}, err
}
func (m *mirror) Quiesce(context.Context) error     { return nil }
func (m *mirror) Shows(metrics.Gauge) bool          { return true }
func (m *mirror) HasFeature(workloads.Feature) bool { return true }
func (m *mirror) Links() ([]string, error)          { return nil, nil }
func (m *mirror) Programmed(context.Context) (*kernel.State, error) {
	return kernel.New(), nil
}
func (m *mirror) Routes() (map[string]string, error) {
	facts, err := m.see(Routes{})
	routes := map[string]string{}
	for fact, dev := range facts {
		_, routes[fact.Subject], _ = strings.Cut(dev, "/")
	}
	return routes, err
}

func (m *mirror) Connect(ctx context.Context, flows []Flow) (Outcomes, error) {
	facts, err := m.see(Connections{})
	outcomes := Outcomes{}
	for _, f := range flows {
		outcomes[f] = outcomeOf(facts[f.fact()])
		if m.leaks && len(flows) == 1 {
			outcomes[f] = Outcome{Kind: Connected}
		}
	}
	m.mu.Lock()
	m.looked++
	m.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(lookTakes):
	}
	return outcomes, err
}

// outcomeOf is the outcome that a fact tells of.
func outcomeOf(said string) Outcome {
	if from, ok := strings.CutPrefix(said, string(ConnectedFrom)+" "); ok {
		return Outcome{ConnectedFrom, from}
	}
	switch kind := OutcomeKind(said); kind {
	case Connected, Dropped, Refused:
		return Outcome{Kind: kind}
	}
	return Outcome{Failed, said}
}

func TestMoves(t *testing.T) {
	const open, shut = "web-0 > fv-1-team-a/db-2 tcp/8080", "web-0 > fv-1-team-a/api-1 tcp/8080"
	set := func(match, value string, until time.Duration) func(*mirror) {
		return func(m *mirror) {
			m.fault = func(f engine.Facts) error {
				for fact := range f {
					if strings.Contains(fact.String(), match) && time.Since(m.begun) < until {
						f[fact] = value
					}
				}
				return nil
			}
		}
	}
	const always, once = time.Hour, time.Millisecond / 2 // of a look
	for name, c := range map[string]struct {
		fault func(*mirror)
		moves Moves
		says  string // of the finding or of the error; empty: all is well
	}{
		"nothing happens":                {fault: func(*mirror) {}},
		"a flow is cut":                  {fault: set(open, string(Dropped), always), says: open},
		"a flow hangs once":              {fault: set(open, string(Dropped), once)},
		"an answer is late once":         {fault: set(open, "connected, but no data came", once)},
		"a flow comes from elsewhere":    {fault: set(open, "connected from 10.128.0.9", once), says: open},
		"a flow is refused once":         {fault: set(open, string(Refused), once), says: open},
		"a flow leaks, but only at once": {fault: set(shut, string(Connected), once), says: shut},
		"a route leads elsewhere":        {fault: set("10.128.0.2/32", "dev of fv-1-team-a/other", always), says: "10.128.0.2/32"},
		"less moves than was said":       {fault: func(*mirror) {}, moves: Moves{Connections: 1}, says: "the scenario says 1"},
		"it can't be read once": {fault: func(m *mirror) {
			m.fault = func(engine.Facts) error {
				if time.Since(m.begun) < once {
					return errors.New("no kernel")
				}
				return nil
			}
		}},
		"it can't be read": {fault: func(m *mirror) { m.fault = func(engine.Facts) error { return errors.New("no kernel") } },
			says: "no kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t)
				var found []report.Finding
				c.fault(m)
				m.begun = time.Now()
				v := c.moves.Watch(t.Context(), m.world)
				time.Sleep(400 * time.Millisecond)
				err := v.Judge(t.Context(), func(f report.Finding) { found = append(found, f) })
				got := ""
				if err != nil {
					got = err.Error()
				}
				for _, f := range found {
					if wrong := f.Differing > 0 || f.Error != ""; wrong == (c.says == "") {
						t.Errorf("found %+v; want %q", f, c.says)
					}
				}
				if !strings.Contains(got, c.says) || (err == nil) != (c.says == "") {
					t.Errorf("got %q, want %q", got, c.says)
				}
			})
		})
	}
}
