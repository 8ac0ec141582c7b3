package workloads

import (
	"context"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// NodeKind is the kind of nodes.
const NodeKind Kind = "Node"

// Node is a node of the cluster.
type Node struct {
	Name   string
	Local  bool // the SUT runs there
	IP     netip.Addr
	Labels map[string]string
}

// Part names the node.
func (n Node) Part() Part { return NodeKind.Named(n.Name) }

// Nodes are the nodes, the local one included.
func (s State) Nodes() Objects[Node] { return Objects[Node]{s, NodeKind} }

// nodes makes remote nodes alone. One that changes is replaced.
var nodes = &kind[Node, corev1.Node]{
	name: NodeKind, word: "node", resource: "nodes", subresources: []string{"status"},
	object: func(f *Fleet, n Node) *corev1.Node {
		node := &corev1.Node{
			ObjectMeta: meta(n.Part().Key, n.Labels),
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.IP.String()}}},
		}
		f.cfg.Decorate(node)
		return node
	},
	client: func(c Clients, _ string) writer[corev1.Node] { return c.Core.CoreV1().Nodes() },
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.CoreV1().Nodes().List(ctx, o)
	},
	amend:   func(now, _ Node) Node { return now }, // nothing of it can be changed in place
	foreign: func(s State, k Key) bool { return k.Name == s.LocalNode },
	differs: func(a, b Node) bool { return a.Local != b.Local || a.IP != b.IP || !maps.Equal(a.Labels, b.Labels) },
	equals:  func(_, _ Node) bool { return true },
}

// AddNodes makes remote nodes.
func (f *Fleet) AddNodes(ctx context.Context, all []Node) error { return nodes.add(ctx, f, all) }

// RemoveNodes removes nodes by name.
func (f *Fleet) RemoveNodes(ctx context.Context, names []string) error {
	return nodes.drop(ctx, f, clusterKeys(names))
}

// clusterKeys are the keys of what is in no namespace.
func clusterKeys(names []string) []Key {
	keys := make([]Key, 0, len(names))
	for _, n := range names {
		keys = append(keys, Key{Name: n})
	}
	return keys
}
