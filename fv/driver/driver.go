// Package driver is a session from inside the node: it takes what the harness hands over, takes hold of the node's network namespace and
// of the SUT's process, makes the world of each scenario, runs it and judges it.
//
// It runs in the namespace of the SUT's node, as a process that lives on when the SUT dies. It knows neither a test framework nor a
// container engine. A Driver runs one scenario at a time; a Wire is safe for concurrent use.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/proxyconfig/xds"
)

// UndoGrace is how long a scenario may go on after its timeout, to remove what it made.
const UndoGrace = 5 * time.Minute

// Driver holds what all scenarios of a run share.
type Driver struct {
	handoff infra.Handoff
	out     io.Writer  // which the harness listens to
	addr    netip.Addr // of the node
	target  targets.Target
	config  *rest.Config // of the API server
	client  kubernetes.Interface
	admin   adminclient.Interface
	dynamic dynamic.Interface
	served  map[workloads.Kind]bool // of those that clusters may lack, what this one knows
	known   []report.KnownIssue     // of the agent's release
	journal *report.Journal
	sampler *metrics.Sampler
	gauges  *metrics.HTTP
	others  []*instance     // of the SUT besides the agent; the lock guards it
	layout  *effects.Layout // of a release that the target is not known to fit
	wire    *Wire

	configuration *xds.Client   // of a target that configures a proxy; nil: it is of another kind
	pushed        chan struct{} // fires when something of it has come

	running   context.Context // ends once the driver is interrupted
	interrupt context.CancelCauseFunc

	restarting atomic.Bool   // the end of the SUT is asked for
	candidates atomic.Uint32 // of leader elections so far
	watcher    *netns.Watcher
	undo       lifecycle.Undo

	mu            sync.Mutex
	pid           int // of the SUT's process
	now           liveState
	number, total int                 // of the scenario that runs, and of all; 0: not known
	away          chan struct{}       // the SUT's program is held back until it is closed; nil: it is not
	heeded        func(metrics.Point) // is told of each point; nil: nobody is
	bad           error               // the first entry that could not be written

	bereave context.CancelCauseFunc // of what is guarded by itself, see Guard; nil: the SUT's end is that of the scenario
}

// New returns a driver of what is handed over, which must be opened before it can run anything. The harness listens to out: status lines
// and requests are written there.
func New(h infra.Handoff, out io.Writer) *Driver {
	d := &Driver{handoff: h, out: out, layout: &effects.Layout{}}
	d.running, d.interrupt = context.WithCancelCause(context.Background())
	return d
}

// Interrupt ends the scenario that runs, in order, and lets no other begin. It may be called from any goroutine.
func (d *Driver) Interrupt() { d.interrupt(engine.ErrInterrupted) }

// interruptible returns a context that ends when the driver is interrupted, too.
func (d *Driver) interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.running, func() { cancel(context.Cause(d.running)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Open takes hold of everything that the handoff names. What it made is undone if it fails.
func (d *Driver) Open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			d.cannotBegin(err)
			err = errors.Join(err, d.Close(ctx))
		}
	}()
	ctx, release := d.interruptible(ctx)
	defer release()
	h := d.handoff
	d.target, err = targets.New(h.Target.Name, targets.Options{DataPlane: h.Target.DataPlane, Version: h.Target.Version, Extras: h.Target.Extras})
	if err != nil {
		return err
	}
	if d.journal, err = report.Create(filepath.Join(h.Out, "journal-driver.jsonl")); err != nil {
		return err
	}
	d.undo.Push("close the journal", func(context.Context) error { return d.journal.Close() })
	var unexcused string
	d.known, unexcused = targets.KnownIssues(d.target, h.Target.Version)
	d.write(report.Entry{Run: &report.Run{Known: d.known, Unexcused: unexcused}})
	if err := d.openAPI(ctx); err != nil {
		return err
	}
	if err := d.openKernel(ctx); err != nil {
		return err
	}
	if err := d.openConfiguration(); err != nil {
		return err
	}
	d.noteEnvironment()
	d.startSampling()
	return nil
}

// cannotBegin makes the record say why there are no scenarios in it, or, if there is none, tells the user.
func (d *Driver) cannotBegin(err error) {
	what := "could not begin: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	if d.journal == nil {
		infra.Told{Remark: "the driver " + what}.Tell(d.out)
		return
	}
	d.write(report.Entry{Event: &report.Event{At: time.Now(), Container: string(infra.RoleDriver), What: what}})
}

func (d *Driver) openAPI(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", d.handoff.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Dial = netns.Dial // so that the agent's way there can be impaired, and not ours
	d.config = config
	if d.client, err = workloads.NewClient(config); err != nil {
		return err
	}
	if d.admin, err = workloads.NewAdminClient(config); err != nil {
		return err
	}
	if d.dynamic, err = workloads.NewDynamicClient(config); err != nil {
		return err
	}
	d.served, err = workloads.Served(ctx, d.clients())
	return err
}

// Close undoes all that Open and the scenarios made, within a minute, even if ctx has ended.
func (d *Driver) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if d.sampler != nil { // else it never began
		d.noteEnvironment()
	}
	return errors.Join(d.undo.Unwind(ctx), d.bad)
}

// write puts an entry into the journal. An entry that is lost makes the run's evidence incomplete, so that Close reports it.
func (d *Driver) write(e report.Entry) {
	if err := d.journal.Write(e); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.bad = errors.Join(d.bad, err)
	}
}

// Handoff returns what was handed over.
func (d *Driver) Handoff() infra.Handoff { return d.handoff }

// Target returns the target, once the driver is open.
func (d *Driver) Target() targets.Target { return d.target }

// Client returns the driver's client of the API server, once the driver is open.
func (d *Driver) Client() kubernetes.Interface { return d.client }

// Wire returns what connects the pods, once the driver is open.
func (d *Driver) Wire() *Wire { return d.wire }
