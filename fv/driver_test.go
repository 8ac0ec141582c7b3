package fv

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/infra/targets"
	_ "github.com/nodefv/nodefv/infra/targets/all"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
	"github.com/nodefv/nodefv/workloads/netns"
)

// undoGrace is how long a spec may go on after its scenario's timeout, to remove what it made.
const undoGrace = 5 * time.Minute

// driver holds what all scenarios of a run share.
type driver struct {
	handoff infra.Handoff
	addr    netip.Addr // of the node
	target  targets.Target
	client  kubernetes.Interface
	admin   adminclient.Interface
	served  map[workloads.Kind]bool // those that clusters may lack
	known   []report.KnownIssue     // of the agent's release
	journal *report.Journal
	sampler *metrics.Sampler
	gauges  *metrics.HTTP
	layout  *effects.Layout // of a release that the target is not known to fit
	wire    *wire

	restarting atomic.Bool // the end of the SUT is asked for
	watcher    *netns.Watcher
	undo       lifecycle.Undo

	mu   sync.Mutex
	pid  int // of the SUT's process
	now  liveState
	away chan struct{} // the SUT's program is held back until it is closed; nil: it is not
	bad  error         // the first entry that could not be written

	bereave context.CancelCauseFunc // of what is guarded by itself, see Guard; nil: the SUT's end is that of the scenario
}

// newDriver takes hold of everything that the handoff names. What it made is undone if it fails.
func newDriver(ctx context.Context, h infra.Handoff) (d *driver, err error) {
	d = &driver{handoff: h, layout: &effects.Layout{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close(ctx))
		}
	}()
	d.target, err = targets.New(h.Target.Name, targets.Options{DataPlane: h.Target.DataPlane, Version: h.Target.Version})
	if err != nil {
		return d, err
	}
	if d.journal, err = report.Create(filepath.Join(h.Out, "journal-driver.jsonl")); err != nil {
		return d, err
	}
	d.undo.Push("close the journal", func(context.Context) error { return d.journal.Close() })
	var unexcused string
	d.known, unexcused = targets.KnownIssues(d.target, h.Target.Version)
	d.write(report.Entry{Run: &report.Run{Known: d.known, Unexcused: unexcused}})
	config, err := clientcmd.BuildConfigFromFlags("", h.Kubeconfig)
	if err != nil {
		return d, fmt.Errorf("read kubeconfig: %w", err)
	}
	if d.client, err = workloads.NewClient(config); err != nil {
		return d, err
	}
	if d.admin, err = workloads.NewAdminClient(config); err != nil {
		return d, err
	}
	if d.served, err = workloads.Served(ctx, d.clients()); err != nil {
		return d, err
	}
	if err := d.openKernel(ctx); err != nil {
		return d, err
	}
	d.startSampling()
	return d, nil
}

// openKernel takes hold of the node's network namespace, in which this process runs.
func (d *driver) openKernel(ctx context.Context) (err error) {
	if d.addr, err = netip.ParseAddr(d.handoff.NodeAddr); err != nil {
		return fmt.Errorf("the node's address: %w", err)
	}
	for _, pool := range []netip.Prefix{workloads.PoolV4, workloads.PoolV6} {
		if pool.Contains(d.addr) {
			return fmt.Errorf("the engine made the run's bridge in %s, where pods get their addresses (%s): set other default-address-pools in its configuration", pool, d.addr)
		}
		undo, err := netns.Blackhole(pool)
		if err != nil {
			return err
		}
		d.undo.Push("remove the blackhole route of "+pool.String(), func(context.Context) error { return undo() })
	}
	watching, stop := context.WithCancel(context.Background())
	d.undo.Push("end the watch of the kernel", func(context.Context) error { stop(); return nil })
	if d.watcher, err = netns.Watch(watching); err != nil {
		return err
	}
	if d.wire, err = newWire(ctx, !d.target.Presentation().Routes); err != nil {
		return err
	}
	d.undo.Push("unplug all", d.wire.close)
	return nil
}

func (d *driver) startSampling() {
	d.gauges = metrics.NewHTTP(fmt.Sprintf("http://127.0.0.1:%d/metrics", d.handoff.Target.MetricsPort), d.target.Gauges())
	d.sampler = metrics.NewSampler(time.Second, func(p metrics.Point) {
		d.write(report.Entry{Scenario: p.Scenario, Point: &p})
		d.live(p)
	}, d.gauges, metrics.NewProcess(d.process), metrics.NewCgroup(d.process))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.sampler.Run(ctx); close(done) }()
	d.undo.Push("end sampling", func(context.Context) error { stop(); <-done; return nil })
}

// take takes hold of the SUT's process, and reads it from now on.
func (d *driver) take(ctx context.Context) (*life, error) {
	alive, err := watchLife(ctx, d.handoff.Target.Process)
	if err == nil {
		d.mu.Lock()
		d.pid = alive.pid
		d.mu.Unlock()
	}
	return alive, err
}

func (d *driver) process() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pid == 0 {
		return 0, errors.New("the SUT does not run")
	}
	return d.pid, nil
}

func (d *driver) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(d.undo.Unwind(ctx), d.bad)
}

// write puts an entry into the journal. An entry that is lost makes the run's evidence incomplete, so that close reports it.
func (d *driver) write(e report.Entry) {
	if err := d.journal.Write(e); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.bad = errors.Join(d.bad, err)
	}
}

// run runs one scenario and judges what it left in the journal.
func (d *driver) run(ctx context.Context, sc engine.Scenario) (metrics.Verdict, string) {
	if why := skipped(sc, d, d.handoff.Obeyed); why != "" {
		d.write(report.Entry{Scenario: sc.Name, Begin: &report.Scenario{Name: sc.Name, Doc: sc.Doc, Labels: sc.LabelNames(), Started: time.Now(), Skipped: why}})
		return metrics.Skip, why
	}
	if err := d.scenario(ctx, sc); err != nil {
		fmt.Println(sc.Name+":", err)
	}
	rec, err := report.Load(d.handoff.Out)
	if err != nil {
		return metrics.Inconclusive, err.Error()
	}
	judged := engine.Judge(rec).Scenarios
	for i := len(judged) - 1; i >= 0; i-- {
		if judged[i].Name == sc.Name {
			return judged[i].Verdict, judged[i].Reason
		}
	}
	return metrics.Inconclusive, "the scenario left nothing in the record"
}

func (d *driver) scenario(ctx context.Context, sc engine.Scenario) error {
	alive, err := d.take(ctx)
	if err != nil {
		now := time.Now()
		d.write(report.Entry{Scenario: sc.Name, Begin: &report.Scenario{Name: sc.Name, Doc: sc.Doc, Labels: sc.LabelNames(), Started: now}})
		d.write(report.Entry{Scenario: sc.Name, Finding: &report.Finding{At: now, Kind: report.Life, Name: "life of the SUT", Error: err.Error()}})
		return err
	}
	guarded, release := alive.guard(ctx, func(ctx context.Context) (*life, bool, error) {
		if !d.restarting.Load() && !d.survived() {
			return nil, false, nil
		}
		d.awaitBack(ctx)
		next, err := d.take(ctx)
		return next, true, err
	})
	defer release()
	world, err := d.world(sc)
	if err != nil {
		return err
	}
	runner := engine.Runner{
		World: world, Write: d.write,
		SetPhase: func(p metrics.Phase) { d.sampler.SetPhase(p) },
		Settled:  func(ctx context.Context) { d.sampler.Sample(ctx, true) },
		Diagnose: func(ctx context.Context, name, why string) {
			dir := filepath.Join(d.handoff.Out, "diagnostics", name)
			if err := errors.Join(d.diagnose(ctx, dir), writeMatrix(ctx, world, dir)); err != nil {
				fmt.Println("diagnostics are incomplete:", err)
			}
		},
	}
	if err = runner.Run(guarded, sc); err != nil && d.handoff.Obeyed && guarded.Err() == nil {
		err = errors.Join(err, d.renew(guarded, world))
	}
	return err
}

// renewPatience is how long an agent has to agree that there is nothing any more, once a scenario has failed.
const renewPatience = 5 * time.Second

// renew restarts an agent that still holds what a failed scenario left in it: else each scenario after it would fail for the same cause.
func (d *driver) renew(ctx context.Context, w *engine.World) error {
	err := w.Check(ctx, renewPatience, func(report.Finding) {})
	if !errors.Is(err, engine.ErrBroken) {
		return err
	}
	fmt.Println("the agent does not agree that all is gone, so it is restarted:", err)
	return d.restart(ctx, infra.RoleAgent)
}

// world makes the world of one scenario; plan, draws and names follow from the run's seed and the scenario's name.
func (d *driver) world(sc engine.Scenario) (*engine.World, error) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(sc.Name))
	seed := d.handoff.Seed
	sc.Topology.DualStack = sc.Topology.DualStack && d.HasFeature(workloads.IPv6)
	plan, err := workloads.NewPlan(seed, sc.Topology, d.handoff.Node)
	if err != nil {
		return nil, err
	}
	presents := d.target.Presentation()
	fleet := workloads.NewFleet(workloads.Config{
		Client: d.client, Admin: d.admin, Plugger: d.wire, HostInterface: d.target.HostInterface, Decorate: d.target.Decorate, OneWrite: presents.OneWrite, LocalIP: d.addr, Load: sc.Load,
		Record: func(op report.Operation) { d.write(report.Entry{Scenario: sc.Name, Operation: &op}) },
		Purge:  d.purge,
	}, workloads.NewState(d.handoff.Node))
	d.follow(fleet)
	var backend kernel.Backend
	programmer, ok := d.target.(targets.Programmer)
	if ok {
		backend = programmer.Backend()
	}
	layout := d.layout
	if ok && programmer.Fits() {
		layout = nil
	}
	e := &effects.Set{
		Kernel: node{backend}, Connector: d.wire, HostInterface: d.target.HostInterface, Routed: presents.Routes, Rejects: presents.Rejects,
		Programmer: programmer, Layout: layout, Node: d.hosting(), Streamer: d.wire, Converser: d.wire, Known: d.known,
	}
	if d.HasFeature(workloads.ForgetsConnections) {
		e.Tracked = netns.Tracked
	}
	w := &engine.World{
		Fleet: fleet, Plan: plan, Rand: rand.New(rand.NewPCG(seed, h.Sum64())), SUT: d, Effects: e, Freeze: d.freeze, Wake: d.watcher.C(), Overflows: netns.Overflows,
	}
	if d.handoff.Obeyed {
		w.Agent = agent{d}
	}
	return w, nil
}

// purge removes pods and namespaces from etcd, under the keys that the API server gives them.
func (d *driver) purge(ctx context.Context, pods []workloads.Key, namespaces []string) error {
	var keys []string
	for _, k := range pods {
		keys = append(keys, "/registry/pods/"+k.String())
	}
	for _, n := range namespaces {
		keys = append(keys, "/registry/namespaces/"+n)
	}
	return infra.Purge(ctx, d.handoff.Etcd, keys)
}

// hosting is what the target decides of the node's own traffic; nil if it does not say.
func (d *driver) hosting() *effects.Node {
	host, ok := d.target.(targets.Host)
	if !ok {
		return nil
	}
	sends, listens := host.NodeTraffic()
	return &effects.Node{Addr: d.addr, Sends: sends, Listens: listens}
}

// Gauges scrapes the SUT's own metrics.
func (d *driver) Gauges(ctx context.Context) (metrics.Snapshot, error) {
	d.mu.Lock()
	gauges, pid := d.gauges, d.pid
	d.mu.Unlock()
	snap, err := gauges.Scrape(ctx)
	if err != nil && stopped(pid) {
		return nil, fmt.Errorf("%w (process %d has state T): %w", engine.ErrFrozen, pid, err)
	}
	return snap, err
}

// Shows reports whether the SUT has a metric for a gauge.
func (d *driver) Shows(g metrics.Gauge) bool {
	_, shown := d.target.Gauges()[g]
	return shown
}

// Quiesce asks the SUT to collect garbage.
func (d *driver) Quiesce(ctx context.Context) error {
	return d.target.Quiesce(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}

func (d *driver) clients() workloads.Clients {
	return workloads.Clients{Core: d.client, Admin: d.admin}
}

// serves reports whether the cluster knows a kind.
func (d *driver) serves(k workloads.Descriptor) bool { return k.Feature() == "" || d.served[k.Kind()] }

// HasFeature reports whether the target has a feature, and the cluster the kinds of objects that it needs.
func (d *driver) HasFeature(name workloads.Feature) bool {
	if name == workloads.Routing {
		return d.target.Presentation().Routes
	}
	missing := func(k workloads.Descriptor) bool { return k.Feature() == name && !d.serves(k) }
	return slices.Contains(d.target.Features(), name) && !slices.ContainsFunc(workloads.Kinds(), missing)
}

// node is the kernel of the node's namespace.
type node struct{ backend kernel.Backend }

func (node) Routes() (map[string]string, error) { return netns.Routes() }
func (node) Links() ([]string, error)           { return netns.Links() }

func (n node) Programmed(ctx context.Context) (*kernel.State, error) {
	return netns.Programmed(ctx, n.backend)
}
