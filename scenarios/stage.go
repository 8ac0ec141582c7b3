package scenarios

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The stage is a small cluster on which the inputs of a calculation are moved one by one: two namespaces, each with a server
// and a client on the local node and a client on another, whose packets are real as well. In the first namespace a policy
// lets servers hear the clients of their own namespace alone, on the first port. Namespaces end in their names, and pods have
// those of their parts, so that a difference reads by itself.
//
//	                 local            remote
//	first, shop      server, client   client-remote
//	second, stock    server, client   client-remote
var stage = workloads.Topology{RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 3, Local: 4}

// stageNamespaces are the ends of the namespaces' names, in their order: some scenarios have more than two. Their tiers take turns.
var stageNamespaces, stageTiers = []string{"shop", "stock", "support", "transit"}, []string{"front", "back"}

// stagePods are the parts of a namespace's pods, in the order in which they are planned: the first of each three is made remote.
var stagePods = []struct{ name, role string }{{"client-remote", "client"}, {"server", "server"}, {"client", "client"}}

const (
	localClient = iota // positions in a namespace of the stage, in the order of the names
	remoteClient
	server
)

// arrangeStage gives the stage's namespaces and pods their names and labels.
func arrangeStage(s *workloads.State) {
	for i, ns := range s.Namespaces().List() {
		planned := podsOf(*s, ns.Name)
		for _, p := range planned {
			s.Remove(workloads.PodKind.Part(p.Key))
		}
		s.Remove(workloads.NamespaceKind.Named(ns.Name))
		ns.Name = strings.TrimSuffix(ns.Name, "team-"+ns.Labels["team"]) + stageNamespaces[i]
		ns.Labels = map[string]string{"tier": stageTiers[i%2]}
		s.Put(ns)
		for j, p := range planned {
			p.Key = workloads.Key{Namespace: ns.Name, Name: stagePods[j].name}
			p.Labels = map[string]string{"role": stagePods[j].role}
			s.Put(p)
		}
	}
}

// podsOf lists the pods of a namespace, oldest first; those that were given their names come first, by these.
func podsOf(s workloads.State, namespace string) []workloads.Pod {
	var pods []workloads.Pod
	for _, p := range s.Pods().In(namespace) {
		pods = append(pods, p)
	}
	workloads.SortByAge(pods)
	return pods
}

// onStage is the pod of the stage at that position (localClient, remoteClient, server) in its first or second namespace.
func onStage(w *engine.World, namespace, position int) workloads.Pod {
	planned := w.Plan.State()
	arrangeStage(&planned)
	return podsOf(planned, planned.Namespaces().List()[namespace].Name)[position]
}

// guard is the policy of the stage's first namespace.
func guard(w *engine.World) workloads.Policy {
	return workloads.Policy{
		Key:  workloads.Key{Namespace: w.Fleet.State().Namespaces().List()[0].Name, Name: "guard"},
		Spec: hears(label("role", "server"), on(effects.Ports[0]), networkingv1.NetworkPolicyPeer{PodSelector: label("role", "client")}),
	}
}

// guarding puts the policy in force: of the twenty flows to the server, those of two clients by TCP on one port go on.
var guarding = engine.Step{Name: "guard", Moves: effects.Moves{Connections: 18}, Do: func(ctx context.Context, w *engine.World) error {
	return w.Fleet.AddPolicies(ctx, []workloads.Policy{guard(w)})
}}

// hears isolates the selected pods for ingress but for what comes from the peers (none: all) to the port (nil: all).
func hears(selected *metav1.LabelSelector, ports []networkingv1.NetworkPolicyPort, from ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PodSelector: *selected, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: from, Ports: ports}},
	}
}

// label selects what has this value of a label.
func label(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func everything() *metav1.LabelSelector { return &metav1.LabelSelector{} }

// on is a TCP port in a rule.
func on(port uint16) []networkingv1.NetworkPolicyPort {
	tcp, number := corev1.ProtocolTCP, intstr.FromInt32(int32(port))
	return []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &number}}
}

// flowBetween is a flow on the first port between the addresses of two pods at an index.
func flowBetween(w *engine.World, from, to workloads.Pod, index int, protocol corev1.Protocol) effects.Flow {
	local := w.Fleet.State().LocalNode
	end := func(p workloads.Pod) effects.End {
		return effects.End{Key: p.Key, Addr: p.IPs[index], Remote: p.Node != local}
	}
	return effects.Flow{From: end(from), To: end(to), Protocol: protocol, Port: effects.Ports[0]}
}

// move is one input that is moved on the stage, and how many facts of each effect that must move.
type move struct {
	name  string
	moves effects.Moves
	do    func(context.Context, *engine.World) error
}

// onInput makes the scenario that moves one input of the calculation, to and fro, on the stage.
func onInput(name, doc string, moves ...move) bool {
	return registerFrom(source(1), func(Params) engine.Scenario {
		steps := []engine.Step{guarding}
		for _, m := range moves {
			steps = append(steps, engine.Step{Name: m.name, Moves: m.moves, Do: m.do})
		}
		return engine.Scenario{Name: name, Doc: doc, Labels: []engine.Label{Calc}, Timeout: brief, Topology: stage, Arrange: arrangeStage, Steps: steps}
	})
}

// tenantOf is the pod that has an address.
func tenantOf(s workloads.State, ip netip.Addr) workloads.Pod {
	for _, p := range s.Pods().All() {
		if slices.Contains(p.IPs, ip) {
			return p
		}
	}
	return workloads.Pod{}
}
