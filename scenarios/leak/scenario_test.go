package leak

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/kubernetes/fake"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// node is a SUT that does all it must, and may keep something of each object that goes.
type node struct {
	fleet   *workloads.Fleet
	kept    int64               // objects so far
	keeps   int64               // objects after each cycle
	chain   string              // that it leaves in the kernel; empty: none
	without bool                // it shows no profiles
	wired   map[netip.Addr]bool // addresses that were ever talked to, and have not been retired
	tells   bool                // it shows the goroutines that nothing can wake: one for each object kept
	gaps    int                 // readings, from the first, that lack something
	busy    int                 // readings of each cycle but the first, from the first, at which it has four goroutines more
	cycles  int                 // that were read
	samples int                 // of the present cycle
	asked   int                 // to collect garbage
	files   map[string]int      // how often each was kept
}

var (
	keeping = sites.Site{Function: "agent.keep", File: "agent/index.go", Line: 12}
	working = sites.Site{Function: "agent.work", File: "agent/work.go", Line: 3}
)

func (n *node) Gauges(context.Context) (metrics.Snapshot, error) {
	snap := metrics.Snapshot{metrics.InSync: 1}
	for g, v := range (effects.Gauges{}).Want(n.fleet.State()) {
		snap[metrics.Gauge(g.Subject)], _ = strconv.ParseFloat(v, 64)
	}
	return snap, nil
}

func (n *node) Routes() (map[string]string, error) {
	routes := map[string]string{}
	for _, p := range n.fleet.State().LocalPods() {
		for _, ip := range p.IPs {
			if !p.Bare {
				routes[fmt.Sprintf("%s/%d", ip, ip.BitLen())] = p.Namespace + "-" + p.Name
			}
		}
	}
	return routes, nil
}

func (n *node) Connect(_ context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	outcomes, x := effects.Outcomes{}, workloads.NewIndex(n.fleet.State())
	end := func(e effects.End) workloads.Endpoint { return workloads.Endpoint{Pod: e.Key, Addr: e.Addr} }
	for _, f := range flows {
		n.talk(f.To.Addr)
		outcomes[f] = effects.Outcome{Kind: effects.Dropped}
		if x.Passes(end(f.From), end(f.To), f.Protocol, f.Port).Allowed {
			outcomes[f] = effects.Outcome{Kind: effects.Connected}
		}
	}
	return outcomes, nil
}

func (n *node) talk(to netip.Addr) {
	if n.wired == nil {
		n.wired = map[netip.Addr]bool{}
	}
	n.wired[to] = true
}

// Quiesce is what a SUT without profiles is asked for, twice in each cycle: its first two readings agree.
func (n *node) Quiesce(context.Context) error {
	n.asked++
	if n.asked%2 == 1 {
		n.kept += n.keeps
	}
	return nil
}

func (*node) Shows(metrics.Gauge) bool                          { return true }
func (*node) HasFeature(workloads.Feature) bool                 { return true }
func (*node) Links() ([]string, error)                          { return nil, nil }
func (*node) Programmed(context.Context) (*kernel.State, error) { return kernel.New(), nil }
func (*node) Plug(context.Context, []workloads.Plug) error      { return nil }
func (*node) Unplug(context.Context, []workloads.Key) error     { return nil }
func (n *node) Stop(context.Context) error                      { return nil }
func (n *node) End(context.Context) error                       { return nil }
func (n *node) Start(context.Context) error                     { return nil }
func (n *node) RestartAPI(context.Context) error                { return nil }

func (n *node) Retire(gone func(netip.Addr) bool) error {
	for ip := range n.wired {
		if gone(ip) {
			delete(n.wired, ip)
		}
	}
	return nil
}

func (n *node) Keep(name string, _ []byte) error {
	if n.files == nil {
		n.files = map[string]int{}
	}
	n.files[name]++
	return nil
}

func (n *node) Sample(context.Context) metrics.Point {
	if n.gaps > 0 {
		n.gaps--
		return metrics.Point{Gaps: []metrics.Gap{{Source: "metrics", Reason: "refused"}}}
	}
	goroutines := 40.0
	if n.samples++; n.cycles > 0 && n.samples <= n.busy {
		goroutines += 4
	}
	return metrics.Point{Values: metrics.Snapshot{metrics.HeapBytes: float64(1<<20 + 100*n.kept), metrics.Goroutines: goroutines, metrics.FDs: 12}}
}

func (n *node) Census(context.Context) (kernel.Census, error) {
	c := kernel.Census{kernel.Chains: {}, kernel.Neighbours: {"10.128.0.1 dev a": 1}, kernel.RouteEntries: {}}
	for ip := range n.wired {
		c.Add(kernel.RouteEntries, ip.String())
	}
	if n.chain != "" && n.kept > 0 {
		c.Add(kernel.Chains, n.chain)
	}
	return c, nil
}

// Profile is asked for goroutines once in each cycle, after all else.
func (n *node) Profile(_ context.Context, k sites.Kind) (sites.Table, []byte, error) {
	if n.without || k == sites.Leaked && !n.tells {
		return sites.Table{}, nil, effects.ErrNoProfile
	}
	if k == sites.Leaked {
		return sites.Table{Held: map[sites.Site]sites.Held{keeping: {Objects: n.kept}}, Exact: true}, []byte("profile"), nil
	}
	held := map[sites.Site]sites.Held{working: {Objects: 1000, Bytes: 1 << 20}, keeping: {Objects: 5 + n.kept, Bytes: 100 * (5 + n.kept)}}
	if k == sites.Goroutines {
		n.cycles, n.samples = n.cycles+1, 0
		n.kept += n.keeps
		held = map[sites.Site]sites.Held{working: {Objects: 40}}
	}
	return sites.Table{Held: held, Exact: true}, []byte("profile"), nil
}

// carryOut runs an order on a node, and returns what the record has of it in the end, and the steps' last cycle.
func carryOut(t *testing.T, n *node, o Order) (trial leak.Trial, cycles int, err error) {
	t.Helper()
	hostInterface := func(namespace, pod string) string { return namespace + "-" + pod }
	n.fleet = workloads.NewFleet(workloads.Config{Client: fake.NewClientset(), Admin: adminfake.NewSimpleClientset(), Plugger: n, OneWrite: true, HostInterface: hostInterface}, workloads.NewState("here"))
	sc, err := o.Scenario()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := workloads.NewPlan(3, sc.Topology, "here")
	if err != nil {
		t.Fatal(err)
	}
	write := func(e report.Entry) {
		if e.Leak != nil {
			trial = *e.Leak
		}
		if e.Step != nil && e.Step.Name == "up and down" {
			cycles = e.Step.Cycle
		}
	}
	runner := engine.Runner{Write: write, World: &engine.World{
		Fleet: n.fleet, Plan: plan, SUT: n, Agent: n, Effects: &effects.Set{Kernel: n, Connector: n, HostInterface: hostInterface, Routed: true, Inspect: n},
	}}
	err = runner.Run(t.Context(), sc)
	return trial, cycles, err
}

// TestEveryChurnComesBack carries each kind of churn out, whose objects must all be gone after each cycle: the effects and the clean-up compare.
func TestEveryChurnComesBack(t *testing.T) {
	names, _ := Churns()
	for _, identities := range []string{Fresh, Same} {
		for _, churn := range names {
			t.Run(churn+" "+identities, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					trial, cycles, err := carryOut(t, &node{}, Order{Churn: churn, Cycles: 2, Identities: identities, Objects: 4})
					if err != nil {
						t.Fatal(err)
					}
					if cycles != 2 || trial.Cycles != 2 || len(trial.Left) > 0 || len(trial.Gauges) < 7 {
						t.Errorf("after %d cycles: %+v", cycles, trial)
					}
				})
			})
		}
	}
}

// TestChurnedAreCounted wants a leak to be told per object that was churned, even if more or fewer were asked for.
func TestChurnedAreCounted(t *testing.T) {
	for churn, c := range map[string]struct{ asked, want int }{"labels": {40, 12}, "everything": {4, 12}, "policies": {4, 4}} {
		synctest.Test(t, func(t *testing.T) {
			trial, _, err := carryOut(t, &node{}, Order{Churn: churn, Cycles: 1, Objects: c.asked})
			if err != nil || trial.Churned != c.want {
				t.Errorf("%s: %d of %d asked for, want %d; %v", churn, trial.Churned, c.asked, c.want, err)
			}
		})
	}
}

func TestWhatIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		node   node
		order  Order
		want   metrics.Verdict
		cycles int
		reason string
	}{
		"an entry":             {node{keeps: 4}, Order{Cycles: 10}, metrics.Fail, 10, "agent.keep (agent/index.go:12) grows by 1.00 objects, 100 B per pod"},
		"goroutines, told":     {node{keeps: 4, tells: true}, Order{Cycles: 10}, metrics.Fail, 10, "agent.keep (agent/index.go:12) grows by 1.00 goroutines per pod"},
		"an entry, until sure": {node{keeps: 4}, Order{For: time.Hour, UntilSure: true}, metrics.Fail, 8, "agent.keep"},
		"nothing, until sure":  {node{}, Order{For: time.Hour, UntilSure: true}, metrics.Pass, 8, "no leak above 1 B of live_bytes"},
		"a chain":              {node{keeps: 1, chain: "stale"}, Order{Cycles: 3}, metrics.Fail, 3, "left in chains: stale"},
		"without profiles":     {node{keeps: 40, without: true}, Order{Cycles: 10}, metrics.Fail, 10, "leak: heap_bytes grows by"},
		"too few cycles":       {node{}, Order{Cycles: 3}, metrics.Inconclusive, 3, "more cycles needed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.order.Churn, c.order.Objects = "remote-pods", 4
				trial, cycles, err := carryOut(t, &c.node, c.order)
				if err != nil {
					t.Fatal(err)
				}
				if v, why := trial.Judge(); v != c.want || cycles != c.cycles || !strings.Contains(why, c.reason) {
					t.Errorf("%v after %d cycles: %s; want %v after %d: %s", v, cycles, why, c.want, c.cycles, c.reason)
				}
				if files := c.node.files; !c.node.without && (len(trial.Profiles) < 4 || files["heap-early.pb.gz"] != min(cycles, early) || files["goroutine-late.pb.gz"] != cycles) {
					t.Errorf("kept %v, told of %v", files, trial.Profiles)
				}
			})
		})
	}
}

// TestGaps wants a reading that lacks something to be taken again, and told if that does not help.
func TestGaps(t *testing.T) {
	for gaps, missed := range map[int]int{1: 0, 100: 2} {
		synctest.Test(t, func(t *testing.T) {
			trial, _, err := carryOut(t, &node{gaps: gaps}, Order{Churn: "policies", Cycles: 2, Objects: 4})
			if err != nil || trial.Missed != missed || (trial.Gap == "metrics: refused") != (missed > 0) {
				t.Errorf("%d gaps: %+v, %v", gaps, trial, err)
			}
		})
	}
}

// TestCalm wants a SUT to be read until it has no more goroutines than after the cycle before, for some seconds.
func TestCalm(t *testing.T) {
	for busy, want := range map[int]float64{4: 40, 100: 44} {
		synctest.Test(t, func(t *testing.T) {
			trial, _, err := carryOut(t, &node{busy: busy}, Order{Churn: "policies", Cycles: 2, Objects: 4})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range trial.Gauges {
				if s.Gauge == metrics.Goroutines && (len(s.Values) != 2 || s.Values[1] != want) {
					t.Errorf("busy for %d readings: %v, want %v in the end", busy, s.Values, want)
				}
			}
		})
	}
}
