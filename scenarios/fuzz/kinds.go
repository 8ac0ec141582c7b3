package fuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/nodefv/nodefv/workloads"
)

// family says how operations tell of a kind of objects.
type family struct {
	kind                workloads.Kind
	add, change, remove Verb
	// object is the object that an operation says; nil: it says none. A family without it has operations of its own (model.go).
	object func(Op) workloads.Object
	// again is the operation that adds an object as it is; what it was before, that does not tell.
	again func(*Model, workloads.Object) Op
}

// families are those of the kinds that have operations of their own.
var families = []family{
	{kind: workloads.NodeKind, add: AddNode, remove: RemoveNode, again: nodeAgain},
	{kind: workloads.NamespaceKind, add: AddNamespace, change: RelabelNamespace, remove: RemoveNamespace, again: namespaceAgain},
	{kind: workloads.PodKind, add: AddPod, change: RelabelPod, remove: RemovePod, again: podAgain},
	{
		kind: workloads.NetworkKind, add: AddPolicy, change: ChangePolicy, remove: RemovePolicy, object: policyOf, again: policyAgain,
	},
	{
		kind: workloads.AdminKind, add: AddAdminPolicy, change: ChangeAdminPolicy, remove: RemoveAdminPolicy, again: wideAgain(AddAdminPolicy),
		object: wideOf(func(op Op) workloads.Object {
			return workloads.AdminPolicy{Name: op.Name, Spec: workloads.AsAdmin(*op.Wide)}
		}),
	},
	{
		kind: workloads.BaselineKind, add: AddBaseline, change: ChangeBaseline, remove: RemoveBaseline, again: wideAgain(AddBaseline),
		object: wideOf(func(op Op) workloads.Object {
			if op.Name != workloads.BaselineName { // the API accepts no other
				return nil
			}
			return workloads.BaselinePolicy{Name: op.Name, Spec: workloads.AsBaseline(*op.Wide)}
		}),
	},
	{
		kind: workloads.ClusterKind, add: AddClusterPolicy, change: ChangeClusterPolicy, remove: RemoveClusterPolicy, again: wideAgain(AddClusterPolicy),
		object: wideOf(func(op Op) workloads.Object { return workloads.ClusterPolicy{Name: op.Name, Spec: *op.Wide} }),
	},
}

// plain is the family of a kind that draws its objects by itself.
func plain(d workloads.Descriptor) family {
	return family{
		kind: d.Kind(), add: AddObject, change: ChangeObject, remove: RemoveObject,
		object: func(op Op) workloads.Object {
			o, err := d.Decode([]byte(op.Object))
			if err != nil || o.Part() != op.Kind.Part(op.key()) {
				return nil
			}
			return o
		},
		again: func(_ *Model, o workloads.Object) Op { return objectOp(AddObject, o) },
	}
}

// familyOf also says whether the kind has operations of its own.
func familyOf(k workloads.Kind) (f family, special bool) {
	for _, f := range families {
		if f.kind == k {
			return f, true
		}
	}
	if d := workloads.Find(k); d != nil {
		return plain(d), false
	}
	return f, false
}

// familyOfOp is the family of which an operation tells.
func familyOfOp(op Op) family {
	if op.Kind != "" {
		f, _ := familyOf(op.Kind)
		return f
	}
	for _, f := range families {
		if op.Do == f.add || op.Do == f.change || op.Do == f.remove {
			return f
		}
	}
	return family{}
}

// part names the object that an operation is on.
func (o Op) part() workloads.Part { return familyOfOp(o).kind.Part(o.key()) }

// put adds an object that is not there, or changes one that is.
func (m *Model) put(op Op) act {
	f := familyOfOp(op)
	if f.object == nil || op.Name == "" {
		return nil
	}
	d, o, there := workloads.Find(f.kind), f.object(op), m.Object(op.part()) != nil
	home := !d.Namespaced() || m.Namespaces().Has(workloads.Key{Name: op.Namespace})
	if o == nil || !home || there != (op.Do == f.change) {
		return nil
	}
	m.Put(o)
	if op.Wide != nil {
		m.said[o.Part()] = *op.Wide
	}
	return func(ctx context.Context, a Actor) error {
		if there {
			return a.Fleet.Change(ctx, o)
		}
		return a.Fleet.Add(ctx, o)
	}
}

func (m *Model) remove(op Op) act {
	part := op.part()
	if m.Object(part) == nil {
		return nil
	}
	m.forget(part)
	return func(ctx context.Context, a Actor) error { return a.Fleet.Remove(ctx, part) }
}

// forget removes an object, and what the model knows of it besides.
func (m *Model) forget(p workloads.Part) {
	m.Remove(p)
	delete(m.said, p)
	if p.Kind == workloads.PodKind {
		m.Ahead.Delete(p.Key)
		delete(m.veths, p.Key)
	}
}

func policyOf(op Op) workloads.Object {
	if op.Spec == nil {
		return nil
	}
	return workloads.Policy{Key: op.key(), Spec: *op.Spec}
}

func wideOf(object func(Op) workloads.Object) func(Op) workloads.Object {
	return func(op Op) workloads.Object {
		if op.Wide == nil {
			return nil
		}
		return object(op)
	}
}

func nodeAgain(_ *Model, o workloads.Object) Op {
	n := o.(workloads.Node)
	return Op{Do: AddNode, Name: n.Name, IPs: []netip.Addr{n.IP}}
}

func namespaceAgain(_ *Model, o workloads.Object) Op {
	n := o.(workloads.Namespace)
	return Op{Do: AddNamespace, Namespace: n.Name, Labels: n.Labels}
}

func podAgain(m *Model, o workloads.Object) Op {
	p := o.(workloads.Pod)
	op := Op{Do: AddPod, Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, Node: p.Node, IPs: p.IPs, Ports: p.Ports, Bare: p.Bare}
	if op.Node == m.LocalNode {
		op.Node = ""
	}
	return op
}

func policyAgain(_ *Model, o workloads.Object) Op {
	p := o.(workloads.Policy)
	return Op{Do: AddPolicy, Namespace: p.Namespace, Name: p.Name, Spec: &p.Spec}
}

// wideAgain says a cluster-wide policy in the words in which it was said.
func wideAgain(add Verb) func(*Model, workloads.Object) Op {
	return func(m *Model, o workloads.Object) Op {
		return Op{Do: add, Name: o.Part().Key.Name, Wide: new(m.said[o.Part()])}
	}
}

// objectOp says an object of a plain kind, which always makes JSON.
func objectOp(do Verb, o workloads.Object) Op {
	p := o.Part()
	text, _ := json.Marshal(o)
	return Op{Do: do, Kind: p.Kind, Namespace: p.Key.Namespace, Name: p.Key.Name, Object: string(text)}
}

// mostPlain is about how many objects of each plain kind there are.
const mostPlain = 4

func (g *Generator) plainChoices(d workloads.Descriptor) []choice {
	if d.Feature() != "" {
		return nil // nobody has said that the cluster knows it
	}
	there := g.model.Names(d.Kind())
	return []choice{
		{2 * room(len(there), mostPlain), func() Op {
			g.plain++
			k := workloads.Key{Name: fmt.Sprintf("object-%d", g.plain)}
			if d.Namespaced() {
				k.Namespace = g.namespace()
			}
			return objectOp(AddObject, d.Draw(g.rand, k))
		}},
		{2, func() Op { return objectOp(ChangeObject, d.Draw(g.rand, one(g, there))) }},
		{1, func() Op {
			k := one(g, there)
			return Op{Do: RemoveObject, Kind: d.Kind(), Namespace: k.Namespace, Name: k.Name}
		}},
	}
}
