package workloads

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"

	"github.com/nodefv/nodefv/metrics/report"
)

// Removal is the order in which a local pod goes.
type Removal int

// The orders of removal.
const (
	Graceful  Removal = iota // the object first, then its veth
	Forced                   // the veth first, then the object
	Lingering                // the object alone; UnplugPods takes the veth later
)

// Config says on what a Fleet works.
type Config struct {
	Client        kubernetes.Interface
	Admin         adminclient.Interface // nil: the cluster has no cluster-wide policies
	Dynamic       dynamic.Interface     // nil: the cluster has no kinds of which we have no types
	Features      []Feature             // see Clients
	Plugger       Plugger
	HostInterface func(namespace, pod string) string
	Decorate      func(obj any) // adds the target's annotations to *corev1.Pod and *corev1.Node; nil: none
	OneWrite      bool          // a decorated pod counts with its address at once: its status need not be written
	LocalIP       netip.Addr    // of the local node, which its pods' status tells; invalid: it does not
	Workers       int           // concurrent API writes; 0 means 48
	Load          Load
	Record        func(report.Operation) // told of each batch; nil: nobody is
	// Purge removes many pods and namespaces from the cluster at once, past the API, which takes long; nil: it can't be done.
	Purge func(ctx context.Context, pods []Key, namespaces []string) error
}

// Fleet applies changes to the API and the kernel, the model first, and records every batch. It is safe for concurrent use.
type Fleet struct {
	cfg         Config
	local       string // the local node's name
	api, kernel *pacer // API writes and plugs run side by side, each at the load's pace
	done        atomic.Int64

	mu      sync.Mutex
	watch   Watch
	state   State
	plugged map[Key]bool       // what may have a veth: unlike the model, it keeps a pod until its veth is known to be gone
	vacated map[netip.Addr]Key // see Vacated
	tenants map[netip.Addr]int // how many pods of the model have an address
}

// NewFleet returns a fleet over a cluster that is in state s.
func NewFleet(cfg Config, s State) *Fleet {
	if cfg.Workers == 0 {
		cfg.Workers = 48 // with 16, etcd needs a quarter more CPU time: it writes what comes together in one batch
	}
	if cfg.Record == nil {
		cfg.Record = func(report.Operation) {}
	}
	if cfg.Decorate == nil {
		cfg.Decorate = func(any) {}
	}
	f := &Fleet{
		cfg: cfg, local: s.LocalNode, api: newPacer(cfg.Load), kernel: newPacer(cfg.Load), state: s,
		plugged: map[Key]bool{}, vacated: map[netip.Addr]Key{}, tenants: map[netip.Addr]int{},
	}
	for _, p := range s.Pods().All() {
		if s.plugged(p) {
			f.plugged[p.Key] = true
		}
	}
	f.readdressed(State{}, s)
	return f
}

func (f *Fleet) clients() Clients {
	return Clients{Core: f.cfg.Client, Admin: f.cfg.Admin, Dynamic: f.cfg.Dynamic, Features: f.cfg.Features}
}

// State returns the model.
func (f *Fleet) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Done returns how many changes have been made so far; it grows while a batch runs.
func (f *Fleet) Done() int64 { return f.done.Load() }

// Watch is told of a change of the model as it begins, before anything is written, and returns what is called once the change has been
// acknowledged, or has failed. It must not call the Fleet.
type Watch func(verb string, after State) (acknowledged func())

// Watch tells w of every change from now on, one after the other; nil ends it.
func (f *Fleet) Watch(w Watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch = w
}

// begin changes the model. What it returns is called once the world has been made so.
func (f *Fleet) begin(verb string, do func(s *State)) (acknowledged func()) {
	acknowledged, _ = f.beginIn(verb, nil, do)
	return acknowledged
}

// beginIn is begin of what changes objects in the model. If some are not there, it changes nothing.
func (f *Fleet) beginIn(verb string, there []Part, do func(s *State)) (acknowledged func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.state
	if unknown := slices.DeleteFunc(there, func(p Part) bool { return before.Object(p) != nil }); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: %d are not in the model, such as %s", verb, len(unknown), unknown[0].Key)
	}
	do(&f.state)
	f.readdressed(before, f.state)
	if f.watch == nil {
		return func() {}, nil
	}
	return f.watch(verb, f.state), nil
}

// work is one batch: the same change to many objects.
type work[T any] struct {
	verb  string
	items []T
	name  func(T) string
	do    func(context.Context, T) error
	pace  *pacer
	goOn  bool // past an error that concerns one object alone; else the first error ends the batch
}

// run does the work, paced and in parallel, and records it.
func run[T any](ctx context.Context, f *Fleet, w work[T]) error {
	names := make([]string, 0, len(w.items))
	for _, item := range w.items {
		names = append(names, w.name(item))
	}
	return f.batch(w.verb, w.pace.load.Rate, names, func() error {
		var failed failures
		group, within := errgroup.WithContext(ctx)
		group.SetLimit(f.cfg.Workers)
		for _, item := range w.items {
			if err := w.pace.wait(within); err != nil {
				group.Go(func() error { return err }) // without effect if another error was first
				break
			}
			group.Go(func() error {
				err := w.do(within, item)
				if err == nil {
					f.done.Add(1)
				}
				if err != nil && w.goOn && !transient(err) && within.Err() == nil {
					failed.add(err)
					return nil
				}
				return err
			})
		}
		return errors.Join(group.Wait(), failed.err())
	})
}

// failures collects errors, the first of them word by word.
type failures struct {
	mu   sync.Mutex
	errs []error
	more int
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) < examples {
		f.errs = append(f.errs, err)
		return
	}
	f.more++
}

func (f *failures) err() error {
	if f.more > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("%d more failed", f.more))...)
	}
	return errors.Join(f.errs...)
}

// examples is how many names, or errors, of a batch are kept.
const examples = 20

func (f *Fleet) batch(verb string, rate float64, names []string, do func() error) error {
	if len(names) == 0 {
		return nil
	}
	op := report.Operation{At: time.Now(), Verb: verb, Objects: names[:min(len(names), examples)], Count: len(names), Rate: rate}
	err := do()
	op.Took = time.Since(op.At)
	if err != nil {
		op.Error = err.Error()
	}
	f.cfg.Record(op)
	return err
}
