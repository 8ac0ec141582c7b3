package workloads

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// PodKind is the kind of pods.
const PodKind Kind = "Pod"

// Pod is a workload.
type Pod struct {
	Key
	Node   string
	Labels map[string]string
	IPs    []netip.Addr // IPv4 first; empty: it has no address
	Ports  []NamedPort  // what its container names; fixed for its life
	Bare   bool         // a local pod whose veth is still to come
}

// NamedPort is a port of a container that a policy can name.
type NamedPort struct {
	Name     string
	Protocol corev1.Protocol
	Port     uint16
}

// Part names the pod.
func (p Pod) Part() Part { return PodKind.Part(p.Key) }

// Pods are the pods.
func (s State) Pods() Objects[Pod] { return Objects[Pod]{s, PodKind} }

// LocalPods returns the pods on the local node, sorted by namespace and name.
func (s State) LocalPods() []Pod {
	return s.podsThat(func(p Pod) bool { return p.Node == s.LocalNode })
}

// RemotePods returns the pods on other nodes, sorted by namespace and name.
func (s State) RemotePods() []Pod {
	return s.podsThat(func(p Pod) bool { return p.Node != s.LocalNode })
}

func (s State) podsThat(are func(Pod) bool) []Pod {
	var all []Pod
	for _, p := range s.Pods().All() {
		if are(p) {
			all = append(all, p)
		}
	}
	return all
}

// Shared returns the addresses that several pods have at once.
func (s State) Shared() map[netip.Addr]bool {
	shared, seen := map[netip.Addr]bool{}, make(map[netip.Addr]bool, s.Pods().Len())
	for _, p := range s.Pods().All() {
		for _, ip := range p.IPs {
			if seen[ip] {
				shared[ip] = true
			}
			seen[ip] = true
		}
	}
	return shared
}

// plugged says whether the pod has a veth.
func (s State) plugged(p Pod) bool { return p.Node == s.LocalNode && !p.Bare }

// pods change by their labels alone; one with another address or place is replaced. Their veths are made and removed with them (pods.go).
var pods = &kind[Pod, corev1.Pod]{
	name: PodKind, word: "pod", resource: "pods", subresources: []string{"status"}, namespaced: true, relabels: true,
	object: (*Fleet).podObject,
	client: func(c Clients, namespace string) writer[corev1.Pod] { return c.Core.CoreV1().Pods(namespace) },
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.CoreV1().Pods("").List(ctx, o)
	},
	patch: func(p Pod) []edit { return relabelling(p.Labels) },
	amend: func(now, to Pod) Pod { now.Labels = to.Labels; return now },
	differs: func(a, b Pod) bool {
		return a.Node != b.Node || a.Bare != b.Bare || !slices.Equal(a.IPs, b.IPs) || !slices.Equal(a.Ports, b.Ports)
	},
	equals:  func(a, b Pod) bool { return maps.Equal(a.Labels, b.Labels) },
	created: func(ctx context.Context, f *Fleet, p *corev1.Pod) error { return f.writeStatus(ctx, p) },
}

// podKind is the descriptor of pods.
type podKind struct{ *kind[Pod, corev1.Pod] }

func (podKind) create(ctx context.Context, f *Fleet, all []Object) error {
	return f.AddPods(ctx, typed[Pod](all))
}

func (podKind) delete(ctx context.Context, f *Fleet, keys []Key) error {
	return f.RemovePods(ctx, keys, Graceful)
}

func (podKind) remnants(f *Fleet) []Key { return f.veths() }

// RelabelPods gives pods the labels that they have here, and no others; the rest of a Pod counts for nothing. It is an error
// if a pod is not in the model.
func (f *Fleet) RelabelPods(ctx context.Context, all []Pod) error { return pods.alter(ctx, f, all) }
