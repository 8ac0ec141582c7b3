package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The first namespace's pods call their first TCP port http and their second UDP port dns, the second's the other way round. The first's
// call a TCP port alt, the second's a UDP port.
func arrangeNamedPorts(s *workloads.State) {
	arrangeStage(s)
	for i, ns := range s.Namespaces().List() {
		for _, pod := range podsOf(*s, ns.Name) {
			pod.Ports = named(i, i)
			s.Put(pod)
		}
	}
}

// named are the ports of a pod that numbers http and dns as a namespace's pods do, and calls the other port of one protocol alt.
func named(numbers, alt int) []workloads.NamedPort {
	first, second := effects.Ports[numbers], effects.Ports[1-numbers]
	return []workloads.NamedPort{
		{Name: "http", Protocol: corev1.ProtocolTCP, Port: first}, {Name: "dns", Protocol: corev1.ProtocolUDP, Port: second},
		[]workloads.NamedPort{{Name: "alt", Protocol: corev1.ProtocolTCP, Port: second}, {Name: "alt", Protocol: corev1.ProtocolUDP, Port: first}}[alt],
	}
}

// onName is a port of a protocol by its name.
func onName(protocol corev1.Protocol, name string) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: new(intstr.FromString(name))}
}

// served are the ports that every pod serves, by their names.
func served() []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{onName(corev1.ProtocolTCP, "http"), onName(corev1.ProtocolUDP, "dns")}
}

var _ = register(func(Params) engine.Scenario {
	policy := func(w *engine.World, namespace int, name string, spec networkingv1.NetworkPolicySpec) workloads.Policy {
		return workloads.Policy{Key: workloads.Key{Namespace: onStage(w, namespace, server).Namespace, Name: name}, Spec: spec}
	}
	out := func(ports ...networkingv1.NetworkPolicyPort) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{
			PodSelector: *label("role", "client"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: ports}},
		}
	}
	open := engine.Step{Name: "open", Do: func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
	}}
	return engine.Scenario{
		Name: "named ports",
		Doc: "Policies name ports, of TCP and of UDP, that pods number differently: into a pod and out of one, the destination's own number counts, also of a pod that" +
			" comes later and of one on another node; a name means a port of the rule's protocol alone.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeNamedPorts,
		Steps: []engine.Step{
			// Each of the two local pods of each namespace keeps, for its five peers, one port of two by each protocol.
			{Name: "into pods", Moves: effects.Moves{Connections: 4 * 5 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{
					policy(w, 0, "served", hears(everything(), served())), policy(w, 1, "served", hears(everything(), served())),
				})
			}},
			// A pod that numbers its ports like the other namespace; the 48 flows from and to it are facts that come.
			{Name: "a pod comes", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 48}, Do: func(ctx context.Context, w *engine.World) error {
				pod, err := w.Plan.Successor(onStage(w, 0, server))
				if err != nil {
					return err
				}
				pod.Ports = named(1, 0)
				return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
			}},
			// Each of five local pods closes both ports that it served to its six peers, and opens the one that it calls alt.
			{Name: "one name, two protocols", Moves: effects.Moves{Connections: 5 * 6 * 3}, Do: func(ctx context.Context, w *engine.World) error {
				alt := hears(everything(), []networkingv1.NetworkPolicyPort{onName(corev1.ProtocolTCP, "alt"), onName(corev1.ProtocolUDP, "alt")})
				return w.Fleet.ChangePolicies(ctx, []workloads.Policy{policy(w, 0, "served", alt), policy(w, 1, "served", alt)})
			}},
			open,
			// The one client that is held loses one port of each of six peers, by each protocol.
			{Name: "out of a pod", Moves: effects.Moves{Connections: 12}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{policy(w, 0, "out", out(served()...))})
			}},
			// It loses the two that it had of each peer, and gets one of each of the three in the second namespace.
			{Name: "one name, one protocol", Moves: effects.Moves{Connections: 6*2 + 3}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangePolicies(ctx, []workloads.Policy{policy(w, 0, "out", out(onName(corev1.ProtocolUDP, "alt")))})
			}},
		},
	}
})
