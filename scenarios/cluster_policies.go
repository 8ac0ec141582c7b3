package scenarios

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// clients are the clients of the stage's first namespace, back is the whole second one.
var (
	clients = podsIn("front", "client")
	back    = wideSubject{Namespaces: label("tier", "back")}
)

// podsIn are the pods of a role in the namespaces of a tier.
func podsIn(tier, role string) wideSubject {
	return wideSubject{Pods: &policyv1alpha2.NamespacedPod{NamespaceSelector: *label("tier", tier), PodSelector: *label("role", role)}}
}

// comes is a rule for what comes from a peer, to the TCP port or, with 0, to all.
func comes(action wideAction, from wideSubject, port uint16) wideIn {
	r := wideIn{Action: action, From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{policyv1alpha2.ClusterNetworkPolicyIngressPeer(from)}}
	if port != 0 {
		r.Protocols = []widePort{byTCP(&policyv1alpha2.Port{Number: int32(port)})}
	}
	return r
}

func byTCP(port *policyv1alpha2.Port) widePort {
	return widePort{TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: port}}
}

// over is the policy of the first namespace's server.
func over(name string, priority int32, rules ...wideIn) workloads.ClusterPolicy {
	return workloads.ClusterPolicy{Name: name, Spec: wideSpec{Tier: policyv1alpha2.AdminTier, Priority: priority, Subject: podsIn("front", "server"), Ingress: rules}}
}

var _ = forEachClusterWide(func(k clusterWide, _ Params) engine.Scenario {
	return engine.Scenario{
		Name:     k.title,
		Doc:      "Over a policy that holds, " + k.title + " come, change and go: they allow what it denies, deny what it allows, pass on to it before one that denies, and deny a network to what leaves a pod.",
		Labels:   []engine.Label{Calc},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			// The second namespace's three reach the server on the port that its policy keeps.
			{Name: "allow", Moves: effects.Moves{Connections: 3}, Do: func(ctx context.Context, w *engine.World) error {
				return k.add(ctx, w.Fleet, over("over", 10, comes("Accept", back, effects.Ports[1])))
			}},
			// Its own two clients don't any longer on the other.
			{Name: "deny", Moves: effects.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.change(ctx, w.Fleet, over("over", 10, comes("Deny", clients, 0), comes("Accept", back, effects.Ports[1])))
			}},
			{Name: "pass before", Moves: effects.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.add(ctx, w.Fleet, over("first", 5, comes("Pass", clients, 0)))
			}},
			{Name: "pass after", Moves: effects.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.change(ctx, w.Fleet, over("first", 11, comes("Pass", clients, 0)))
			}},
			// The second server has five peers, two ports and two protocols; three of these flows were kept from it already.
			{Name: "out", Moves: effects.Moves{Connections: 5*2*2 - 3}, Do: func(ctx context.Context, w *engine.World) error {
				networks := []policyv1alpha2.CIDR{"192.0.2.0/24", policyv1alpha2.CIDR(workloads.PoolV4.String()), policyv1alpha2.CIDR(workloads.PoolV6.String())}
				return k.add(ctx, w.Fleet, workloads.ClusterPolicy{Name: "out", Spec: wideSpec{
					Tier: policyv1alpha2.AdminTier, Priority: 0, Subject: podsIn("back", "server"),
					Egress: []policyv1alpha2.ClusterNetworkPolicyEgressRule{{Action: "Deny", To: []policyv1alpha2.ClusterNetworkPolicyEgressPeer{{Networks: networks}}}},
				}})
			}},
			// What the policy keeps from the second namespace is kept again, the clients get what is theirs.
			{Name: "the policy again", Moves: effects.Moves{Connections: 2 + 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.remove(ctx, w.Fleet, "over", "first")
			}},
			{Name: "out again", Moves: effects.Moves{Connections: 5*2*2 - 4}, Do: func(ctx context.Context, w *engine.World) error {
				return k.remove(ctx, w.Fleet, "out")
			}},
		},
	}
})

// baseline is for all pods of the stage's first namespace.
func baseline(rules ...wideIn) workloads.ClusterPolicy {
	return workloads.ClusterPolicy{Name: workloads.BaselineName, Spec: wideSpec{Tier: policyv1alpha2.BaselineTier, Subject: wideSubject{Namespaces: label("tier", "front")}, Ingress: rules}}
}

func otherwise(action wideAction, namespaces *metav1.LabelSelector) wideIn {
	return comes(action, wideSubject{Namespaces: namespaces}, 0)
}

var _ = forEachClusterWide(func(k clusterWide, _ Params) engine.Scenario {
	denied := otherwise("Deny", everything())
	return engine.Scenario{
		Name:     k.lowest,
		Doc:      "A baseline of " + k.title + " denies what no policy decides: it comes, yields to a policy, changes, is all there is when the policy goes, and goes.",
		Labels:   []engine.Label{Calc},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			// Two local pods lose five peers on two ports by two protocols.
			{Name: "deny", Moves: effects.Moves{Connections: 2 * 5 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.add(ctx, w.Fleet, baseline(denied))
			}},
			{Name: "guard", Moves: effects.Moves{Connections: 2}, Do: guarding.Do},
			// The client is reached by the two others of its namespace; the server's own policy holds.
			{Name: "allow its own", Moves: effects.Moves{Connections: 2 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.change(ctx, w.Fleet, baseline(otherwise("Accept", label("tier", "front")), denied))
			}},
			// The guard let two of the server's eight flows of its own namespace through.
			{Name: "no guard", Moves: effects.Moves{Connections: 2*2*2 - 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
			}},
			{Name: "open", Moves: effects.Moves{Connections: 2 * 3 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.remove(ctx, w.Fleet, workloads.BaselineName)
			}},
		},
	}
})
