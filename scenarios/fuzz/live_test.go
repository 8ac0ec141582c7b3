package fuzz

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// node is a SUT that does all it must but where lost says that it loses a pod's routes, and which a restart mends.
type node struct {
	fleet    *workloads.Fleet
	lost     func(workloads.State) bool
	stuck    bool // what was lost once stays lost until a restart
	was      bool
	restarts int
	restart  error
	kills    func(workloads.State) bool // states that it dies of; nil: none
	bereave  context.CancelCauseFunc
	deaths   int
	believes func(workloads.State) workloads.State // what its packets follow; nil: what is so
	plain    bool                                  // it has no cluster-wide policies
	found    []report.Finding                      // of it, by all that was run on it
}

// Guard and Death make it one whose death is survived by the run.
func (n *node) Guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	n.bereave = cancel
	return ctx, func() { cancel(nil) }
}

func (n *node) Death(context.Context) (string, error) {
	n.deaths++
	return fmt.Sprintf("felix died: too many ports specified, attempt %d", n.deaths), nil
}

func (n *node) Gauges(context.Context) (metrics.Snapshot, error) {
	time.Sleep(time.Millisecond) // so that time passes
	if n.kills != nil && n.kills(n.fleet.State()) {
		n.bereave(engine.ErrDied)
		return nil, errors.New("connection refused")
	}
	snap := metrics.Snapshot{metrics.InSync: 1}
	for g, v := range (effects.Gauges{}).Want(n.fleet.State()) {
		snap[metrics.Gauge(g.Subject)], _ = strconv.ParseFloat(v, 64)
	}
	return snap, nil
}

func (n *node) Routes() (map[string]string, error) {
	routes, s := map[string]string{}, n.fleet.State()
	if n.was = n.lost(s) || n.stuck && n.was; n.was {
		return map[string]string{"10.191.0.1/32": "nobody"}, nil
	}
	for _, p := range s.LocalPods() {
		for _, ip := range p.IPs {
			if !p.Bare {
				routes[fmt.Sprintf("%s/%d", ip, ip.BitLen())] = p.Namespace + "-" + p.Name
			}
		}
	}
	return routes, nil
}

func (n *node) Connect(_ context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	s := n.fleet.State()
	if n.believes != nil {
		s = n.believes(s)
	}
	outcomes, x := effects.Outcomes{}, workloads.NewIndex(s)
	end := func(e effects.End) workloads.Endpoint { return workloads.Endpoint{Pod: e.Key, Addr: e.Addr} }
	for _, f := range flows {
		outcomes[f] = effects.Outcome{Kind: effects.Dropped}
		if x.Passes(end(f.From), end(f.To), f.Protocol, f.Port).Allowed {
			outcomes[f] = effects.Outcome{Kind: effects.Connected}
		}
	}
	return outcomes, nil
}

func (n *node) Restart(context.Context, faults.Part) error {
	n.restarts++
	n.was = false
	return n.restart
}

func (*node) Quiesce(context.Context) error                     { return nil }
func (n *node) Shows(metrics.Gauge) bool                        { return true }
func (n *node) HasFeature(workloads.Feature) bool               { return !n.plain }
func (*node) Links() ([]string, error)                          { return nil, nil }
func (*node) Programmed(context.Context) (*kernel.State, error) { return kernel.New(), nil }
func (*node) Backend() kernel.Backend                           { return kernel.IPTablesNFT }
func (*node) Run(context.Context, ...string) ([]byte, error)    { return nil, nil }
func (*node) Signal(syscall.Signal) error                       { return nil }
func (*node) Lie(context.Context, metrics.Gauge, float64) error { return nil }
func (*node) Way() effects.Way                                  { return nil }

// carryOut runs an order on a node and returns what was told.
func carryOut(t *testing.T, n *node, o Order, out string) (said []string, err error) {
	t.Helper()
	hostInterface := func(namespace, pod string) string { return namespace + "-" + pod }
	n.fleet = workloads.NewFleet(workloads.Config{Client: fake.NewClientset(), Admin: adminfake.NewSimpleClientset(), Plugger: sockets{}, OneWrite: true, HostInterface: hostInterface}, workloads.NewState("here"))
	sc, err := o.Scenario(3, Means{Saboteur: n, Mourner: n, Out: out, Tell: func(format string, a ...any) { said = append(said, fmt.Sprintf(format, a...)) }})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := workloads.NewPlan(3, sc.Topology, "here")
	if err != nil {
		t.Fatal(err)
	}
	write := func(e report.Entry) {
		if e.Finding != nil {
			n.found = append(n.found, *e.Finding)
		}
	}
	runner := engine.Runner{Write: write, World: &engine.World{
		Fleet: n.fleet, Plan: plan, SUT: n,
		Effects: &effects.Set{Kernel: n, Connector: n, HostInterface: hostInterface, Routed: true},
	}}
	return said, runner.Run(t.Context(), sc)
}

// missesSubjects is the belief of a SUT that asks whether a namespace is a cluster policy's subject when either comes or the policy changes, and
// not when the namespace's labels do.
func missesSubjects() func(workloads.State) workloads.State {
	known, labelled := map[string]workloads.ClusterPolicy{}, map[string]map[string]bool{} // by policy, by namespace: whether it is its subject
	return func(s workloads.State) workloads.State {
		for name, p := range s.ClusterPolicies().All() {
			if !reflect.DeepEqual(known[name.Name], p) {
				known[name.Name], labelled[name.Name] = p, map[string]bool{}
			}
			is := labelled[name.Name]
			maps.DeleteFunc(is, func(ns string, _ bool) bool { return !s.Namespaces().Has(workloads.Key{Name: ns}) })
			p.Spec.Subject = *p.Spec.Subject.DeepCopy()
			selector := p.Spec.Subject.Namespaces
			if p.Spec.Subject.Pods != nil {
				selector = &p.Spec.Subject.Pods.NamespaceSelector
			}
			selected, _ := metav1.LabelSelectorAsSelector(selector)
			in := []string{"none"}
			for _, n := range s.Namespaces().All() {
				ns := n.Name
				if _, seen := is[ns]; !seen {
					is[ns] = selected.Matches(labels.Merge(n.Labels, labels.Set{corev1.LabelMetadataName: ns}))
				}
				if is[ns] {
					in = append(in, ns)
				}
			}
			*selector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: in}}}
			s.Put(p)
		}
		return s
	}
}

// TestNamedUDPPortIsFound has the fuzzer find a SUT that does not know the ports that pods name by UDP.
func TestNamedUDPPortIsFound(t *testing.T) {
	dir := t.TempDir()
	misses := func(s workloads.State) workloads.State {
		for _, p := range s.Pods().All() {
			p.Ports = slices.DeleteFunc(slices.Clone(p.Ports), func(n workloads.NamedPort) bool { return n.Protocol == corev1.ProtocolUDP })
			s.Put(p)
		}
		return s
	}
	synctest.Test(t, func(t *testing.T) {
		n := &node{lost: func(workloads.State) bool { return false }, believes: misses, plain: true}
		if said, err := carryOut(t, n, Order{Ops: 1000}, dir); !errors.Is(err, engine.ErrBroken) {
			t.Fatalf("got %v, %v", err, said)
		}
		if r, err := ReadRepro(filepath.Join(dir, "repro.json")); err != nil || r.Failure.Probe != "connections" {
			t.Errorf("got %v, %v", r.Failure, err)
		}
	})
}

// TestRelabelledSubjectIsFound has the fuzzer find a SUT that misses what labels of namespaces say of subjects, and wants it to be found by the
// cluster-wide policies alone.
func TestRelabelledSubjectIsFound(t *testing.T) {
	dir := t.TempDir()
	well := func(workloads.State) bool { return false }
	synctest.Test(t, func(t *testing.T) {
		order := Order{Ops: 400}
		if said, err := carryOut(t, &node{lost: well, believes: missesSubjects()}, order, dir); !errors.Is(err, engine.ErrBroken) {
			t.Fatalf("got %v, %v", err, said)
		}
		r, err := ReadRepro(filepath.Join(dir, "repro.json"))
		if err != nil || r.Failure.Probe != "connections" {
			t.Errorf("got %v, %v", r.Failure, err)
		}
		if said, err := carryOut(t, &node{lost: well, believes: missesSubjects(), plain: true}, order, dir); err != nil {
			t.Errorf("without cluster-wide policies: %v, %v", err, said)
		}
	})
}

// threePolicies is a fault whose least cause is a namespace and three policies in it.
func threePolicies(s workloads.State) bool { return s.Policies().Len() >= 3 }

func TestFailureIsShrunkAndReplayed(t *testing.T) {
	for name, c := range map[string]struct {
		stuck    bool
		restarts bool
	}{"mended by emptying": {false, false}, "mended by a restart": {true, true}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				n := &node{lost: threePolicies, stuck: c.stuck}
				said, err := carryOut(t, n, Order{Ops: 500, ShrinkFor: time.Hour, Target: Target{Name: "felix"}}, dir)
				if !errors.Is(err, engine.ErrBroken) {
					t.Fatalf("got %v, %v", err, said)
				}
				r, err := ReadRepro(filepath.Join(dir, "repro.json"))
				if err != nil {
					t.Fatal(err)
				}
				if s := r.Shrunk; count(r.Batches) != 4 || s.To != 4 || s.From <= 4 || s.Tried != 3 || s.Failed != 3 || s.Note != "" || r.Failure.Probe != "routes" {
					t.Errorf("got %+v, %v", r, said)
				}
				if (n.restarts > 0) != c.restarts {
					t.Errorf("%d restarts", n.restarts)
				}
				n.was = false
				said, err = carryOut(t, n, Order{Replay: &r, Times: 4}, dir)
				if !errors.Is(err, engine.ErrBroken) || !strings.Contains(err.Error(), "4 of 4 replays failed") {
					t.Errorf("got %v, %v", err, said)
				}
				if said, err = carryOut(t, &node{lost: func(workloads.State) bool { return false }}, Order{Replay: &r, Times: 2, Target: r.Target}, dir); err != nil || len(said) != 2 {
					t.Errorf("got %v, %v", err, said)
				}
			})
		})
	}
}

// TestDeathIsShrunkAndReplayed has an agent that dies of three policies.
func TestDeathIsShrunkAndReplayed(t *testing.T) {
	dir := t.TempDir()
	healthy := func(workloads.State) bool { return false }
	synctest.Test(t, func(t *testing.T) {
		n := &node{lost: healthy, kills: threePolicies}
		said, err := carryOut(t, n, Order{Ops: 500, ShrinkFor: time.Hour, Target: Target{Name: "felix"}}, dir)
		if !errors.Is(err, engine.ErrBroken) || !strings.Contains(err.Error(), "felix died: too many ports") {
			t.Fatalf("got %v, %v", err, said)
		}
		r, err := ReadRepro(filepath.Join(dir, "repro.json"))
		if err != nil {
			t.Fatal(err)
		}
		if s := r.Shrunk; count(r.Batches) != 4 || s.To != 4 || s.Tried != 3 || s.Failed != 3 || s.Note != "" || !r.Failure.Died || n.deaths < 5 {
			t.Errorf("after %d deaths: %+v, %v", n.deaths, r, said)
		}
		said, err = carryOut(t, n, Order{Replay: &r, Times: 2, Target: Target{Name: "felix"}}, dir)
		if !errors.Is(err, engine.ErrBroken) || !strings.Contains(err.Error(), "2 of 2 replays failed, last by felix died") {
			t.Errorf("got %v, %v", err, said)
		}
		// An agent that does something else wrong fails for another reason.
		said, err = carryOut(t, &node{lost: threePolicies}, Order{Replay: &r, Times: 1, Target: Target{Name: "felix"}}, dir)
		if !errors.Is(err, engine.ErrBroken) || !strings.Contains(err.Error(), "1 for another reason") || !strings.Contains(strings.Join(said, "\n"), "for another reason than recorded: routes: ") {
			t.Errorf("got %v, %v", err, said)
		}
	})
}

// TestReplayOfWhichTraceStays has an agent that passes the first replay and then does not let go of it, so that the second can't begin. That is the
// agent's fault if a new one does not let go either, and the harness's if no new one comes; it is no pass.
func TestReplayOfWhichTraceStays(t *testing.T) {
	batches := [][]Op{{{Do: AddNamespace, Namespace: "a"}}}
	for name, c := range map[string]struct {
		restart error
		kind    report.FindingKind
		says    string
	}{
		"no new agent comes":     {errors.New("no agent"), report.Harness, "restart the agent, since the emptied cluster does not agree"},
		"a new agent is no help": {nil, report.Expectation, "routes: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				filled := false
				n := &node{restart: c.restart, lost: func(s workloads.State) bool {
					there := s.Namespaces().Has(workloads.Key{Name: "a"})
					filled = filled || there
					return filled && !there
				}}
				said, err := carryOut(t, n, Order{Replay: &Repro{Batches: batches}, Times: 2}, t.TempDir())
				if err == nil || n.restarts != 1 || !slices.Contains(said, "replay 1 of 2: passed") {
					t.Fatalf("got %v after %d restarts, %v", err, n.restarts, said)
				}
				bad := slices.DeleteFunc(n.found, func(f report.Finding) bool { return f.Error == "" && f.Differing == 0 })
				if len(bad) != 1 || bad[0].Kind != c.kind || !strings.Contains(bad[0].First(), c.says) {
					t.Errorf("found %+v", bad)
				}
			})
		})
	}
}

func TestReplayOnAnotherAgent(t *testing.T) {
	mine := Target{Name: "felix", Own: true, Versions: map[string]string{"felix": "/my/felix"}}
	pinned := Target{Name: "felix", Versions: map[string]string{"felix": "v3.31.0"}}
	later := Target{Name: "felix", Versions: map[string]string{"felix": "v3.32.1"}}
	for _, c := range []struct {
		recorded, now Target
		same, other   int
		want          string
	}{
		{mine, mine, 3, 0, ""},
		{mine, pinned, 3, 0, "recorded on felix /my/felix, replayed on felix v3.31.0: it fails on the unchanged agent too: a finding about felix, not about your change"},
		{mine, pinned, 0, 0, "recorded on felix /my/felix, replayed on felix v3.31.0: it does not fail on the unchanged agent: look at your change"},
		{mine, pinned, 0, 2, "recorded on felix /my/felix, replayed on felix v3.31.0: it fails there for another reason"},
		{pinned, later, 1, 0, "recorded on felix v3.31.0, replayed on felix v3.32.1: it fails there too"},
		{pinned, later, 0, 0, "recorded on felix v3.31.0, replayed on felix v3.32.1: it does not fail there"},
	} {
		if got := compareAgents(c.recorded, c.now, c.same, c.other); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestFailuresOfOneKind(t *testing.T) {
	of := func(probe string, aspect report.Aspect, want string) Failure {
		return Failure{Probe: probe, Differing: 1, Differences: []report.Difference{{Fact: "x", Want: want, Aspect: aspect}}}
	}
	recorded := of("kernel", report.Members, "pod a")
	for name, c := range map[string]struct {
		a, b Failure
		want bool
	}{
		"another member":         {recorded, of("kernel", report.Members, "pod b"), true},
		"another aspect":         {recorded, of("kernel", report.Rules, "1"), false},
		"an old record":          {recorded, of("kernel", "", "1"), true},
		"another probe":          {recorded, of("routes", report.Routes, "x"), false},
		"leak and leak":          {of("never wrong", report.Packets, "no packet passes"), of("never wrong", report.Packets, "no packet passes"), true},
		"leak and cut":           {of("never wrong", report.Packets, "no packet passes"), of("never wrong", report.Packets, "no packet dropped"), false},
		"deaths":                 {Failure{Died: true, Error: "a"}, Failure{Died: true, Error: "b"}, true},
		"a death and what broke": {Failure{Died: true, Error: "a"}, recorded, false},
	} {
		if c.a.like(c.b) != c.want || c.b.like(c.a) != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
	}
}

// TestUncertainFailure has a fault that comes every second time that its condition does.
func TestUncertainFailure(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		times, last := 0, false
		lost := func(s workloads.State) bool {
			now := threePolicies(s)
			if now && !last {
				times++
			}
			last = now
			return now && times%2 == 1
		}
		if said, err := carryOut(t, &node{lost: lost}, Order{Ops: 500, ShrinkFor: time.Hour}, dir); !errors.Is(err, engine.ErrBroken) {
			t.Fatalf("got %v, %v", err, said)
		}
		r, err := ReadRepro(filepath.Join(dir, "repro.json"))
		if s := r.Shrunk; err != nil || s.To != 4 || s.Tried != 3 || s.Failed == 0 || s.Failed == 3 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func TestWhatCannotBeShrunk(t *testing.T) {
	for name, c := range map[string]struct {
		node  node
		order Order
		note  string
	}{
		"never again":      {node{lost: once(threePolicies)}, Order{Ops: 500, ShrinkFor: time.Hour}, "did not fail again"},
		"no time":          {node{lost: threePolicies}, Order{Ops: 500, ShrinkFor: time.Second}, "ended after 1s"},
		"not asked for":    {node{lost: threePolicies}, Order{Ops: 500}, "not shrunk"},
		"nothing mends it": {node{lost: threePolicies, stuck: true, restart: errors.New("no agent")}, Order{Ops: 500, ShrinkFor: time.Hour}, "ended early: restart the agent"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				if said, err := carryOut(t, &c.node, c.order, dir); !errors.Is(err, engine.ErrBroken) {
					t.Fatalf("got %v, %v", err, said)
				}
				if r, err := ReadRepro(filepath.Join(dir, "repro.json")); err != nil || !strings.Contains(r.Shrunk.Note, c.note) {
					t.Errorf("got %+v, %v", r.Shrunk, err)
				}
			})
		})
	}
}

// once is true as long as the first spell of a condition lasts.
func once(is func(workloads.State) bool) func(workloads.State) bool {
	began, over := false, false
	return func(s workloads.State) bool {
		now := is(s)
		began, over = began || now, over || began && !now
		return now && !over
	}
}

func TestEndsByTimeOrNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := func(workloads.State) bool { return false }
		for want, o := range map[string]Order{"25 operations": {Ops: 25}, " operations in": {For: time.Nanosecond}} {
			if said, err := carryOut(t, &node{lost: well}, o, t.TempDir()); err != nil || len(said) != 1 || !strings.Contains(said[0], want) {
				t.Errorf("got %v, %v", said, err)
			}
		}
	})
}

func TestUnknownPlant(t *testing.T) {
	if _, err := (Order{Ops: 1, Plant: "a rose"}).Scenario(1, Means{}); err == nil || !strings.Contains(err.Error(), "rule deleted") {
		t.Errorf("got %v", err)
	}
}

// TestKeptScenario has the scenario that a failure becomes fail as the failure did.
func TestKeptScenario(t *testing.T) {
	sc := Scenario("kept", "A test.", [][]Op{{{Do: AddNamespace, Namespace: "a"}}, {podOp("a", "x", 1)}})
	if len(sc.Steps) != 3 || sc.Timeout == 0 || sc.Name != "kept" {
		t.Errorf("got %+v", sc)
	}
}
