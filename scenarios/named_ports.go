package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The first namespace's pods call their first port http and their second, by UDP, dns; the second's the other way round.
func arrangeNamedPorts(s workloads.State) {
	arrangeStage(s)
	for i, ns := range sortedNamespaces(s) {
		for _, pod := range podsOf(s, ns.Name) {
			pod.Ports = portNames(i)
			s.Pods[pod.Key] = pod
		}
	}
}

func portNames(namespace int) []workloads.NamedPort {
	first, second := namespace%len(engine.Ports), (namespace+1)%len(engine.Ports)
	return []workloads.NamedPort{
		{Name: "http", Protocol: corev1.ProtocolTCP, Port: engine.Ports[first]}, {Name: "dns", Protocol: corev1.ProtocolUDP, Port: engine.Ports[second]},
	}
}

func onHTTP() []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromString("http"))}}
}

func onDNS() []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromString("dns"))}}
}

var _ = register(func(Params) engine.Scenario {
	policy := func(w *engine.World, namespace int, name string, spec networkingv1.NetworkPolicySpec) workloads.Policy {
		return workloads.Policy{Key: workloads.Key{Namespace: onStage(w, namespace, server).Namespace, Name: name}, Spec: spec}
	}
	return engine.Scenario{
		Name:     "named ports",
		Doc:      "Policies name ports, by TCP and by UDP, that pods number differently: into a pod and out of one, the destination's own number counts, also of a pod that comes later and of one on another node.",
		Labels:   []string{Identity, "policy"},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeNamedPorts,
		Steps: []engine.Step{
			// Each of the two local pods of each namespace keeps one port of two for its five peers, and none by UDP.
			{Name: "into pods", Moves: &engine.Moves{Connections: 4 * 5 * 3}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{
					policy(w, 0, "http", hears(everything(), onHTTP())), policy(w, 1, "http", hears(everything(), onHTTP())),
				})
			}},
			// A pod that numbers its port like the other namespace: its six peers reach it on one port, it reaches four local ones
			// on one, and two remote ones on both, by UDP these alone; the rest are facts as well.
			{Name: "a pod comes", Moves: &engine.Moves{Gauges: 2, Routes: 1, Connections: 48}, Do: func(ctx context.Context, w *engine.World) error {
				old := onStage(w, 0, server)
				pod, err := w.Plan.Successor(old)
				if err != nil {
					return err
				}
				pod.Labels, pod.Ports = old.Labels, portNames(1)
				return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
			}},
			{Name: "open", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
			}},
			// The one client that is held loses one port of each of six peers, and both by UDP.
			{Name: "out of a pod", Moves: &engine.Moves{Connections: 18}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{policy(w, 0, "out", networkingv1.NetworkPolicySpec{
					PodSelector: *label("role", "client"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
					Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: onHTTP()}},
				})})
			}},
			// Of each of its six peers it had one by TCP, and has one by UDP.
			{Name: "out of a pod by UDP", Moves: &engine.Moves{Connections: 6 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangePolicies(ctx, []workloads.Policy{policy(w, 0, "out", networkingv1.NetworkPolicySpec{
					PodSelector: *label("role", "client"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
					Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: onDNS()}},
				})})
			}},
			{Name: "open again", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
			}},
			// Each of five local pods keeps one flow of four of its six peers.
			{Name: "into pods by UDP", Moves: &engine.Moves{Connections: 5 * 6 * 3}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{
					policy(w, 0, "dns", hears(everything(), onDNS())), policy(w, 1, "dns", hears(everything(), onDNS())),
				})
			}},
		},
	}
})
