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
	said  map[wideKey]wideSpec
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
	return &Model{State: workloads.NewState(localNode), veths: map[workloads.Key][]netip.Addr{}, said: map[wideKey]wideSpec{}}
}

// Clone returns a copy that can be advanced by itself.
func (m *Model) Clone() *Model {
	return &Model{State: m.State.Clone(), veths: maps.Clone(m.veths), said: maps.Clone(m.said)}
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
	AddPolicy: (*Model).putPolicy, ChangePolicy: (*Model).putPolicy, RemovePolicy: (*Model).removePolicy,
	AddAdminPolicy: (*Model).putAdmin, ChangeAdminPolicy: (*Model).putAdmin, RemoveAdminPolicy: (*Model).removeAdmin,
	AddBaseline: (*Model).putBaseline, ChangeBaseline: (*Model).putBaseline, RemoveBaseline: (*Model).removeBaseline,
	AddClusterPolicy: (*Model).putCluster, ChangeClusterPolicy: (*Model).putCluster, RemoveClusterPolicy: (*Model).removeCluster,
	RestartAgent: func(*Model, Op) act { return func(ctx context.Context, a Actor) error { return a.Restart(ctx) } },
}

func (m *Model) addNode(op Op) act {
	if _, there := m.Nodes[op.Name]; there || op.Name == "" || len(op.IPs) != 1 {
		return nil
	}
	n := workloads.Node{Name: op.Name, IP: op.IPs[0]}
	m.Nodes[n.Name] = n
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddNodes(ctx, []workloads.Node{n}) }
}

// removeNode leaves the node's pods, as the API does.
func (m *Model) removeNode(op Op) act {
	if n, there := m.Nodes[op.Name]; !there || n.Local {
		return nil
	}
	delete(m.Nodes, op.Name)
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveNodes(ctx, []string{op.Name}) }
}

func (m *Model) addNamespace(op Op) act {
	if _, there := m.Namespaces[op.Namespace]; there || op.Namespace == "" {
		return nil
	}
	n := workloads.Namespace{Name: op.Namespace, Labels: op.Labels}
	m.Namespaces[n.Name] = n
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddNamespaces(ctx, []workloads.Namespace{n}) }
}

func (m *Model) removeNamespace(op Op) act {
	if _, there := m.Namespaces[op.Namespace]; !there {
		return nil
	}
	delete(m.Namespaces, op.Namespace)
	for k := range m.Pods {
		if k.Namespace == op.Namespace {
			m.forget(k)
		}
	}
	maps.DeleteFunc(m.Policies, func(k workloads.Key, _ workloads.Policy) bool { return k.Namespace == op.Namespace })
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemoveNamespaces(ctx, []string{op.Namespace}) }
}

func (m *Model) relabelNamespace(op Op) act {
	if _, there := m.Namespaces[op.Namespace]; !there {
		return nil
	}
	n := workloads.Namespace{Name: op.Namespace, Labels: op.Labels}
	m.Namespaces[n.Name] = n
	return func(ctx context.Context, a Actor) error {
		return a.Fleet.RelabelNamespaces(ctx, []workloads.Namespace{n})
	}
}

// addPod refuses an address that another has, and a veth ahead that is not the pod's.
func (m *Model) addPod(op Op) act {
	p, ahead := op.pod(m.LocalNode), m.Ahead[op.key()]
	_, there := m.Pods[p.Key]
	_, home := m.Namespaces[p.Namespace]
	if there || !home || op.Name == "" || m.taken(p.Key, p.IPs) {
		return nil
	}
	if ahead && (p.Node != m.LocalNode || p.Bare || !slices.Equal(m.veths[p.Key], p.IPs)) {
		return nil
	}
	delete(m.Ahead, p.Key)
	m.Pods[p.Key] = p
	m.plug(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.AddPods(ctx, []workloads.Pod{p}) }
}

// taken reports whether an address is another pod's.
func (m *Model) taken(by workloads.Key, ips []netip.Addr) bool {
	in := func(others []netip.Addr) bool {
		return slices.ContainsFunc(ips, func(ip netip.Addr) bool { return slices.Contains(others, ip) })
	}
	for k, p := range m.Pods {
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
	p, there := m.Pods[op.key()]
	if there {
		if !p.Bare || len(p.IPs) == 0 {
			return nil
		}
		p.Bare = false
		m.Pods[p.Key] = p
	} else {
		p = op.pod(m.LocalNode)
		if m.Ahead[p.Key] || p.Node != m.LocalNode || len(p.IPs) == 0 {
			return nil
		}
		p.Bare = false
		m.Ahead[p.Key] = true
	}
	m.plug(p)
	return func(ctx context.Context, a Actor) error { return a.Fleet.PlugPods(ctx, []workloads.Pod{p}) }
}

func (m *Model) removePod(op Op) act {
	k := op.key()
	if _, there := m.Pods[k]; !there && !m.Ahead[k] {
		return nil
	}
	m.forget(k)
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

func (m *Model) forget(k workloads.Key) {
	delete(m.Pods, k)
	delete(m.Ahead, k)
	delete(m.veths, k)
}

func (m *Model) relabelPod(op Op) act {
	p, there := m.Pods[op.key()]
	if !there {
		return nil
	}
	p.Labels = op.Labels
	m.Pods[p.Key] = p
	return func(ctx context.Context, a Actor) error { return a.Fleet.RelabelPods(ctx, []workloads.Pod{p}) }
}

func (m *Model) clearPodAddresses(op Op) act {
	p, there := m.Pods[op.key()]
	if !there || len(p.IPs) == 0 {
		return nil
	}
	p.IPs = nil
	m.Pods[p.Key] = p
	return func(ctx context.Context, a Actor) error { return a.Fleet.ClearIPs(ctx, []workloads.Key{p.Key}) }
}

func (m *Model) movePod(op Op) act {
	p, there := m.Pods[op.key()]
	to := op.Node
	if to == "" {
		to = m.LocalNode
	}
	if !there || len(p.IPs) == 0 || p.Node == to {
		return nil
	}
	p.Node, p.Bare = to, false
	m.forget(p.Key)
	m.Pods[p.Key] = p
	m.plug(p)
	return func(ctx context.Context, a Actor) error {
		if err := a.Fleet.RemovePods(ctx, []workloads.Key{p.Key}, op.removal()); err != nil {
			return err
		}
		return a.Fleet.AddPods(ctx, []workloads.Pod{p})
	}
}

// putPolicy adds a policy that is not there, or changes one that is.
func (m *Model) putPolicy(op Op) act {
	_, there := m.Policies[op.key()]
	_, home := m.Namespaces[op.Namespace]
	if !home || op.Name == "" || op.Spec == nil || there != (op.Do == ChangePolicy) {
		return nil
	}
	p := workloads.Policy{Key: op.key(), Spec: *op.Spec}
	m.Policies[p.Key] = p
	return func(ctx context.Context, a Actor) error {
		if there {
			return a.Fleet.ChangePolicies(ctx, []workloads.Policy{p})
		}
		return a.Fleet.AddPolicies(ctx, []workloads.Policy{p})
	}
}

func (m *Model) removePolicy(op Op) act {
	k := op.key()
	if _, there := m.Policies[k]; !there {
		return nil
	}
	delete(m.Policies, k)
	return func(ctx context.Context, a Actor) error { return a.Fleet.RemovePolicies(ctx, []workloads.Key{k}) }
}

// Rebuild returns operations that make an empty cluster into this one; what it was before, they do not tell.
func (m *Model) Rebuild() []Op {
	var ops []Op
	for _, name := range slices.Sorted(maps.Keys(m.Nodes)) {
		if n := m.Nodes[name]; !n.Local {
			ops = append(ops, Op{Do: AddNode, Name: name, IPs: []netip.Addr{n.IP}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Namespaces)) {
		ops = append(ops, Op{Do: AddNamespace, Namespace: name, Labels: m.Namespaces[name].Labels})
	}
	for _, k := range sortedKeys(m.Policies) {
		spec := m.Policies[k].Spec
		ops = append(ops, Op{Do: AddPolicy, Namespace: k.Namespace, Name: k.Name, Spec: &spec})
	}
	for _, k := range m.saidKeys() {
		ops = append(ops, Op{Do: k.add, Name: k.name, Wide: new(m.said[k])})
	}
	for _, k := range sortedKeys(m.Pods) {
		p := m.Pods[k]
		op := Op{Do: AddPod, Namespace: k.Namespace, Name: k.Name, Labels: p.Labels, Node: p.Node, IPs: p.IPs, Ports: p.Ports, Bare: p.Bare}
		if op.Node == m.LocalNode {
			op.Node = ""
		}
		ops = append(ops, op)
	}
	for _, k := range sortedKeys(m.Ahead) {
		ops = append(ops, Op{Do: PlugPod, Namespace: k.Namespace, Name: k.Name, IPs: m.veths[k]})
	}
	return ops
}

func sortedKeys[V any](m map[workloads.Key]V) []workloads.Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b workloads.Key) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
}
