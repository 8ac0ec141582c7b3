package workloads

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/metrics/report"
)

// Removal is the order in which a local pod goes.
type Removal int

// The orders of removal.
const (
	Graceful Removal = iota // the object first, then its veth
	Forced                  // the veth first, then the object
)

// Config says on what a Fleet works.
type Config struct {
	Client        kubernetes.Interface
	Plugger       Plugger
	HostInterface func(namespace, pod string) string
	Decorate      func(obj any) // adds the target's annotations to *corev1.Pod and *corev1.Node; nil: none
	OneWrite      bool          // a decorated pod counts with its address at once: its status need not be written
	Workers       int           // concurrent API writes; 0 means 16
	Load          Load
	Record        func(report.Operation) // told of each batch; nil: nobody is
}

// Fleet applies changes to the API and the kernel, the model first, and records every batch. It is safe for concurrent use.
type Fleet struct {
	cfg   Config
	pacer *pacer

	mu    sync.Mutex
	state State
}

// NewFleet returns a fleet over a cluster that is in state s.
func NewFleet(cfg Config, s State) *Fleet {
	if cfg.Workers == 0 {
		cfg.Workers = 16 // more gain nothing: the API server's CPU is the limit
	}
	if cfg.Record == nil {
		cfg.Record = func(report.Operation) {}
	}
	if cfg.Decorate == nil {
		cfg.Decorate = func(any) {}
	}
	return &Fleet{cfg: cfg, pacer: newPacer(cfg.Load), state: s.Clone()}
}

// State returns a copy of the model.
func (f *Fleet) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Clone()
}

func (f *Fleet) change(do func(s State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f.state)
}

// Apply makes the model and the world what to says: nodes and namespaces come before what is in them, policies before the
// pods that they hold for; what goes, goes in the opposite order.
func (f *Fleet) Apply(ctx context.Context, to State) error {
	now := f.State()
	goneN, newN := difference(now.Nodes, to.Nodes)
	goneNS, newNS := difference(now.Namespaces, to.Namespaces)
	gonePods, newPods := difference(now.Pods, to.Pods)
	gonePolicies, newPolicies := difference(now.Policies, to.Policies)
	steps := []func() error{
		func() error { return f.RemovePods(ctx, gonePods, Graceful) },
		func() error { return f.RemovePolicies(ctx, gonePolicies) },
		func() error { return f.RemoveNamespaces(ctx, goneNS) },
		func() error { return f.RemoveNodes(ctx, goneN) },
		func() error { return f.AddNodes(ctx, newN) },
		func() error { return f.AddNamespaces(ctx, newNS) },
		func() error { return f.AddPolicies(ctx, newPolicies) },
		func() error { return f.AddPods(ctx, newPods) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// difference compares by key alone: an object that changed is for the calls that say how.
func difference[K comparable, V any](now, to map[K]V) (gone []K, fresh []V) {
	for k := range now {
		if _, ok := to[k]; !ok {
			gone = append(gone, k)
		}
	}
	for k, v := range to {
		if _, ok := now[k]; !ok {
			fresh = append(fresh, v)
		}
	}
	return gone, fresh
}

// Clear removes everything but the local node. It goes on after an error and joins them all.
func (f *Fleet) Clear(ctx context.Context) error {
	s := f.State()
	delete(s.Nodes, s.LocalNode)
	return errors.Join(
		f.RemovePods(ctx, slices.Collect(maps.Keys(s.Pods)), Graceful),
		f.RemovePolicies(ctx, slices.Collect(maps.Keys(s.Policies))),
		f.RemoveNamespaces(ctx, slices.Collect(maps.Keys(s.Namespaces))),
		f.RemoveNodes(ctx, slices.Collect(maps.Keys(s.Nodes))),
	)
}

// AddPods makes pods: API objects and, for those on the local node, veths, at the same time.
func (f *Fleet) AddPods(ctx context.Context, pods []Pod) error {
	slices.SortFunc(pods, func(a, b Pod) int { return compareKeys(a.Key, b.Key) })
	var plugs []Plug
	f.change(func(s State) {
		for _, p := range pods {
			s.Pods[p.Key] = p
			if p.Node == s.LocalNode {
				plugs = append(plugs, Plug{Pod: p.Key, HostInterface: f.cfg.HostInterface(p.Namespace, p.Name), IPs: p.IPs})
			}
		}
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.plug(ctx, plugs) })
	group.Go(func() error {
		return each(ctx, f, "create pod", pods, func(p Pod) string { return p.String() }, f.createPod)
	})
	return group.Wait()
}

func (f *Fleet) plug(ctx context.Context, plugs []Plug) error {
	names := make([]string, 0, len(plugs))
	for _, p := range plugs {
		names = append(names, p.Pod.String())
	}
	return f.batch("plug", names, func() error { return f.cfg.Plugger.Plug(ctx, plugs) })
}

// RemovePods removes pods, their veths after their objects or before them.
func (f *Fleet) RemovePods(ctx context.Context, pods []Key, how Removal) error {
	slices.SortFunc(pods, compareKeys)
	var local []Key
	var names []string
	f.change(func(s State) {
		for _, k := range pods {
			if s.Pods[k].Node == s.LocalNode {
				local, names = append(local, k), append(names, k.String())
			}
			delete(s.Pods, k)
		}
	})
	unplug := func() error {
		return f.batch("unplug", names, func() error { return f.cfg.Plugger.Unplug(ctx, local) })
	}
	remove := func() error { return each(ctx, f, "delete pod", pods, Key.String, f.deletePod) }
	if how == Forced {
		return errors.Join(unplug(), remove())
	}
	return errors.Join(remove(), unplug())
}

// AddNodes makes remote nodes.
func (f *Fleet) AddNodes(ctx context.Context, nodes []Node) error {
	f.change(func(s State) {
		for _, n := range nodes {
			s.Nodes[n.Name] = n
		}
	})
	return each(ctx, f, "create node", nodes, func(n Node) string { return n.Name }, f.createNode)
}

// RemoveNodes removes nodes by name.
func (f *Fleet) RemoveNodes(ctx context.Context, names []string) error {
	f.change(func(s State) {
		for _, n := range names {
			delete(s.Nodes, n)
		}
	})
	return each(ctx, f, "delete node", names, itself, f.deleteNode)
}

// AddNamespaces makes namespaces.
func (f *Fleet) AddNamespaces(ctx context.Context, namespaces []Namespace) error {
	f.change(func(s State) {
		for _, n := range namespaces {
			s.Namespaces[n.Name] = n
		}
	})
	return each(ctx, f, "create namespace", namespaces, func(n Namespace) string { return n.Name }, f.createNamespace)
}

// RemoveNamespaces removes namespaces by name, with all pods and policies in them.
func (f *Fleet) RemoveNamespaces(ctx context.Context, names []string) error {
	s := f.State()
	var pods, policies []Key
	for k := range s.Pods {
		if slices.Contains(names, k.Namespace) {
			pods = append(pods, k)
		}
	}
	for k := range s.Policies {
		if slices.Contains(names, k.Namespace) {
			policies = append(policies, k)
		}
	}
	if err := errors.Join(f.RemovePods(ctx, pods, Graceful), f.RemovePolicies(ctx, policies)); err != nil {
		return err
	}
	f.change(func(s State) {
		for _, n := range names {
			delete(s.Namespaces, n)
		}
	})
	return each(ctx, f, "delete namespace", names, itself, f.deleteNamespace)
}

// AddPolicies makes policies.
func (f *Fleet) AddPolicies(ctx context.Context, policies []Policy) error {
	f.change(func(s State) {
		for _, p := range policies {
			s.Policies[p.Key] = p
		}
	})
	return each(ctx, f, "create policy", policies, func(p Policy) string { return p.String() }, f.createPolicy)
}

// RemovePolicies removes policies.
func (f *Fleet) RemovePolicies(ctx context.Context, policies []Key) error {
	f.change(func(s State) {
		for _, k := range policies {
			delete(s.Policies, k)
		}
	})
	return each(ctx, f, "delete policy", policies, Key.String, f.deletePolicy)
}

func itself(s string) string { return s }

// each makes one API change per item, paced and in parallel, as one recorded batch. The first error ends it.
func each[T any](ctx context.Context, f *Fleet, verb string, items []T, name func(T) string, do func(context.Context, T) error) error {
	names := make([]string, 0, len(items))
	for _, item := range items {
		names = append(names, name(item))
	}
	return f.batch(verb, names, func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(f.cfg.Workers)
		for _, item := range items {
			if err := f.pacer.wait(ctx); err != nil {
				return errors.Join(group.Wait(), err)
			}
			group.Go(func() error { return do(ctx, item) })
		}
		return group.Wait()
	})
}

// examples is how many names of a batch are recorded.
const examples = 20

func (f *Fleet) batch(verb string, names []string, do func() error) error {
	if len(names) == 0 {
		return nil
	}
	op := report.Operation{At: time.Now(), Verb: verb, Objects: names[:min(len(names), examples)], Count: len(names)}
	err := do()
	op.Took = time.Since(op.At)
	if err != nil {
		op.Error = err.Error()
	}
	f.cfg.Record(op)
	return err
}
