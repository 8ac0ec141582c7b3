package fuzz

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/workloads"
)

// Model is the state that operations advance. Besides what a State holds it knows the veths, which outlive their pods' addresses, and in which
// words operations said the cluster-wide policies.
type Model struct {
	workloads.State
	veths map[workloads.Key][]netip.Addr // of local pods
	said  map[workloads.Part]wideSpec
}

// Actor is on what operations are made.
type Actor struct {
	Fleet   *workloads.Fleet
	Restart func(context.Context) error // restarts the agent and returns once it is ready
}

// act makes an operation's change to the world.
type act func(context.Context, Actor) error

// NewModel returns the model of an empty cluster.
func NewModel(localNode string) *Model {
	return &Model{State: workloads.NewState(localNode), veths: map[workloads.Key][]netip.Addr{}, said: map[workloads.Part]wideSpec{}}
}

// Clone returns a copy that can be advanced by itself.
func (m *Model) Clone() *Model {
	return &Model{State: m.State, veths: maps.Clone(m.veths), said: maps.Clone(m.said)}
}

// Apply advances the model by one operation and returns what makes the same change to a fleet in the same state. It returns nil,
// and changes nothing, if the operation means nothing in this state: its object is gone, or its place is taken.
func (m *Model) Apply(op Op) func(context.Context, Actor) error {
	if do := verbs[op.Do]; do != nil {
		return do(m, op)
	}
	return nil
}

var verbs = map[Verb]func(*Model, Op) act{
	AddNode: (*Model).addNode, RemoveNode: (*Model).removeNode,
	AddNamespace: (*Model).addNamespace, RemoveNamespace: (*Model).removeNamespace, RelabelNamespace: (*Model).relabelNamespace,
	AddPod: (*Model).addPod, PlugPod: (*Model).plugPod, RemovePod: (*Model).removePod, RelabelPod: (*Model).relabelPod,
	ClearPodAddresses: (*Model).clearPodAddresses, MovePod: (*Model).movePod,
	AddPolicy: (*Model).put, ChangePolicy: (*Model).put, RemovePolicy: (*Model).remove,
	AddAdminPolicy: (*Model).put, ChangeAdminPolicy: (*Model).put, RemoveAdminPolicy: (*Model).remove,
	AddBaseline: (*Model).put, ChangeBaseline: (*Model).put, RemoveBaseline: (*Model).remove,
	AddClusterPolicy: (*Model).put, ChangeClusterPolicy: (*Model).put, RemoveClusterPolicy: (*Model).remove,
	AddObject: (*Model).put, ChangeObject: (*Model).put, RemoveObject: (*Model).remove,
	RestartAgent: func(*Model, Op) act { return func(ctx context.Context, a Actor) error { return a.Restart(ctx) } },
}

func (m *Model) addNode(op Op) act {
	if m.Nodes().Has(workloads.Key{Name: op.Name}) || op.Name == "" || len(op.IPs) != 1 {
		return nil
	}
	n := workloads.Node{Name: op.Name, IP: op.IPs[0]}
	m.Put(n)
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddNodes(ctx, []workloads.Node{n}) }
}

// removeNode leaves the node's pods, as the API does.
func (m *Model) removeNode(op Op) act {
	if n, there := m.Nodes().Lookup(workloads.Key{Name: op.Name}); !there || n.Local {
		return nil
	}
	m.Remove(workloads.NodeKind.Named(op.Name))
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveNodes(ctx, []string{op.Name}) }
}

func (m *Model) addNamespace(op Op) act {
	if m.Namespaces().Has(workloads.Key{Name: op.Namespace}) || op.Namespace == "" {
		return nil
	}
	n := workloads.Namespace{Name: op.Namespace, Labels: op.Labels}
	m.Put(n)
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddNamespaces(ctx, []workloads.Namespace{n}) }
}

func (m *Model) removeNamespace(op Op) act {
	if !m.Namespaces().Has(workloads.Key{Name: op.Namespace}) {
		return nil
	}
	m.Remove(workloads.NamespaceKind.Named(op.Namespace))
	for _, p := range m.Inside(op.Namespace) {
		m.forget(p)
	}
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveNamespaces(ctx, []string{op.Namespace}) }
}

func (m *Model) relabelNamespace(op Op) act {
	if !m.Namespaces().Has(workloads.Key{Name: op.Namespace}) {
		return nil
	}
	n := workloads.Namespace{Name: op.Namespace, Labels: op.Labels}
	m.Put(n)
	return func(ctx context.Context, a Actor) error {
		return a.Fleet.RelabelNamespaces(ctx, []workloads.Namespace{n})
	}
}

// addPod refuses an address that another has, and a veth ahead that is not the pod's.
func (m *Model) addPod(op Op) act {
	p := op.pod(m.LocalNode)
	ahead := m.ahead(p.Key)
	there := m.Pods().Has(p.Key)
	home := m.Namespaces().Has(workloads.Key{Name: p.Namespace})
	if there || !home || op.Name == "" || m.taken(p.Key, p.IPs) {
		return nil
	}
	if ahead && (p.Node != m.LocalNode || p.Bare || !slices.Equal(m.veths[p.Key], p.IPs)) {
		return nil
	}
	m.Ahead.Delete(p.Key)
	m.Put(p)
	m.plug(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddPods(ctx, []workloads.Pod{p}) }
}

// ahead reports whether there is a veth of a pod that is to come.
func (m *Model) ahead(k workloads.Key) bool {
	_, ahead := m.Ahead.Get(k)
	return ahead
}

// taken reports whether an address is another pod's.
func (m *Model) taken(by workloads.Key, ips []netip.Addr) bool {
	in := func(others []netip.Addr) bool {
		return slices.ContainsFunc(ips, func(ip netip.Addr) bool { return slices.Contains(others, ip) })
	}
	for k, p := range m.Pods().All() {
		if k != by && in(p.IPs) {
			return true
		}
	}
	return false
}

// plug notes the veth of a local pod that has one.
func (m *Model) plug(p workloads.Pod) {
	if p.Node == m.LocalNode && !p.Bare {
		m.veths[p.Key] = p.IPs
	}
}

func (m *Model) plugPod(op Op) act {
	p, there := m.Pods().Lookup(op.key())
	if there {
		if !p.Bare || len(p.IPs) == 0 {
			return nil
		}
		p.Bare = false
		m.Put(p)
	} else {
		p = op.pod(m.LocalNode)
		if m.ahead(p.Key) || p.Node != m.LocalNode || len(p.IPs) == 0 {
			return nil
		}
		p.Bare = false
		m.Ahead.Put(p.Key, true)
	}
	m.plug(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.PlugPods(ctx, []workloads.Pod{p}) }
}

func (m *Model) removePod(op Op) act {
	k := op.key()
	if !m.Pods().Has(k) && !m.ahead(k) {
		return nil
	}
	m.forget(workloads.PodKind.Part(k))
	return func(ctx context.Context, a Actor) error {
		return a.Fleet.RemovePods(ctx, []workloads.Key{k}, op.removal())
	}
}

func (o Op) removal() workloads.Removal {
	if o.Forced {
		return workloads.Forced
	}
	return workloads.Graceful
}

func (m *Model) relabelPod(op Op) act {
	p, there := m.Pods().Lookup(op.key())
	if !there {
		return nil
	}
	p.Labels = op.Labels
	m.Put(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.RelabelPods(ctx, []workloads.Pod{p}) }
}

func (m *Model) clearPodAddresses(op Op) act {
	p, there := m.Pods().Lookup(op.key())
	if !there || len(p.IPs) == 0 {
		return nil
	}
	p.IPs = nil
	m.Put(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.ClearIPs(ctx, []workloads.Key{p.Key}) }
}

func (m *Model) movePod(op Op) act {
	p, there := m.Pods().Lookup(op.key())
	to := op.Node
	if to == "" {
		to = m.LocalNode
	}
	if !there || len(p.IPs) == 0 || p.Node == to {
		return nil
	}
	p.Node, p.Bare = to, false
	m.forget(p.Part())
	m.Put(p)
	m.plug(p)
	return func(ctx context.Context, a Actor) error {
		if err := a.Fleet.RemovePods(ctx, []workloads.Key{p.Key}, op.removal()); err != nil {
			return err
		}
		return a.Fleet.AddPods(ctx, []workloads.Pod{p})
	}
}

// Rebuild returns operations that make an empty cluster into this one; what it was before, they do not tell.
func (m *Model) Rebuild() []Op {
	var ops []Op
	for _, d := range workloads.Kinds() {
		f, _ := familyOf(d.Kind())
		for _, k := range m.Names(d.Kind()) {
			if d.Kind() != workloads.NodeKind || k.Name != m.LocalNode {
				ops = append(ops, f.again(m, m.Object(d.Kind().Part(k))))
			}
		}
	}
	for _, k := range m.Ahead.Keys() {
		ops = append(ops, Op{Do: PlugPod, Namespace: k.Namespace, Name: k.Name, IPs: m.veths[k]})
	}
	return ops
}

func sortedKeys[V any](m map[workloads.Key]V) []workloads.Key {
	return slices.SortedFunc(maps.Keys(m), workloads.Key.Compare)
}
