package scenarios

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// clients are the clients of the stage's first namespace, back is the whole second one.
var (
	clients = policyv1alpha1.AdminNetworkPolicyIngressPeer{Pods: &policyv1alpha1.NamespacedPod{NamespaceSelector: *label("tier", "front"), PodSelector: *label("role", "client")}}
	back    = policyv1alpha1.AdminNetworkPolicyIngressPeer{Namespaces: label("tier", "back")}
)

func servers(tier string) policyv1alpha1.AdminNetworkPolicySubject {
	return policyv1alpha1.AdminNetworkPolicySubject{Pods: &policyv1alpha1.NamespacedPod{NamespaceSelector: *label("tier", tier), PodSelector: *label("role", "server")}}
}

// comes is a rule for what comes from a peer, to the port or, with 0, to all.
func comes(action policyv1alpha1.AdminNetworkPolicyRuleAction, from policyv1alpha1.AdminNetworkPolicyIngressPeer, port uint16) policyv1alpha1.AdminNetworkPolicyIngressRule {
	r := policyv1alpha1.AdminNetworkPolicyIngressRule{Action: action, From: []policyv1alpha1.AdminNetworkPolicyIngressPeer{from}}
	if port != 0 {
		r.Ports = &[]policyv1alpha1.AdminNetworkPolicyPort{{PortNumber: &policyv1alpha1.Port{Protocol: "TCP", Port: int32(port)}}}
	}
	return r
}

// over is the admin policy of the first namespace's server.
func over(name string, priority int32, rules ...policyv1alpha1.AdminNetworkPolicyIngressRule) []workloads.AdminPolicy {
	return []workloads.AdminPolicy{{Name: name, Spec: policyv1alpha1.AdminNetworkPolicySpec{Priority: priority, Subject: servers("front"), Ingress: rules}}}
}

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name:     "admin policies",
		Doc:      "Over a policy that holds, admin policies come, change and go: they allow what it denies, deny what it allows, pass on to it before one that denies, and deny a network to what leaves a pod.",
		Labels:   []string{Calc, "policy", "admin"},
		Needs:    []string{"admin-network-policy"},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			// The second namespace's three reach the server on the port that its policy keeps.
			{Name: "allow", Moves: &engine.Moves{Connections: 3}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddAdminPolicies(ctx, over("over", 10, comes("Allow", back, engine.Ports[1])))
			}},
			// Its own two clients don't any longer on the other.
			{Name: "deny", Moves: &engine.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeAdminPolicies(ctx, over("over", 10, comes("Deny", clients, 0), comes("Allow", back, engine.Ports[1])))
			}},
			{Name: "pass before", Moves: &engine.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddAdminPolicies(ctx, over("first", 5, comes("Pass", clients, 0)))
			}},
			{Name: "pass after", Moves: &engine.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeAdminPolicies(ctx, over("first", 11, comes("Pass", clients, 0)))
			}},
			// The second server has five peers, two ports and two protocols; three of these flows were kept from it already.
			{Name: "out", Moves: &engine.Moves{Connections: 5*2*2 - 3}, Do: func(ctx context.Context, w *engine.World) error {
				networks := []policyv1alpha1.CIDR{"192.0.2.0/24", policyv1alpha1.CIDR(workloads.PoolV4.String()), policyv1alpha1.CIDR(workloads.PoolV6.String())}
				return w.Fleet.AddAdminPolicies(ctx, []workloads.AdminPolicy{{Name: "out", Spec: policyv1alpha1.AdminNetworkPolicySpec{
					Priority: 0, Subject: servers("back"), Egress: []policyv1alpha1.AdminNetworkPolicyEgressRule{{Action: "Deny", To: []policyv1alpha1.AdminNetworkPolicyEgressPeer{{Networks: networks}}}},
				}}})
			}},
			// What the policy keeps from the second namespace is kept again, the clients get what is theirs.
			{Name: "the policy again", Moves: &engine.Moves{Connections: 2 + 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemoveAdminPolicies(ctx, []string{"over", "first"})
			}},
			{Name: "out again", Moves: &engine.Moves{Connections: 5*2*2 - 4}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemoveAdminPolicies(ctx, []string{"out"})
			}},
		},
	}
})

// baseline is for all pods of the stage's first namespace.
func baseline(rules ...policyv1alpha1.BaselineAdminNetworkPolicyIngressRule) policyv1alpha1.BaselineAdminNetworkPolicySpec {
	return policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: policyv1alpha1.AdminNetworkPolicySubject{Namespaces: label("tier", "front")}, Ingress: rules}
}

func otherwise(action policyv1alpha1.BaselineAdminNetworkPolicyRuleAction, namespaces *metav1.LabelSelector) policyv1alpha1.BaselineAdminNetworkPolicyIngressRule {
	return policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{Action: action, From: []policyv1alpha1.AdminNetworkPolicyIngressPeer{{Namespaces: namespaces}}}
}

var _ = register(func(Params) engine.Scenario {
	denied := otherwise("Deny", everything())
	return engine.Scenario{
		Name:     "baseline",
		Doc:      "A baseline denies what no policy decides: it comes, yields to a policy, changes, is all there is when the policy goes, and goes.",
		Labels:   []string{Calc, "policy", "admin"},
		Needs:    []string{"admin-network-policy"},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			// Two local pods lose five peers on two ports by two protocols.
			{Name: "deny", Moves: &engine.Moves{Connections: 2 * 5 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddBaseline(ctx, baseline(denied))
			}},
			{Name: "guard", Moves: &engine.Moves{Connections: 2}, Do: guarding.Do},
			// The client is reached by the two others of its namespace; the server's own policy holds.
			{Name: "allow its own", Moves: &engine.Moves{Connections: 2 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeBaseline(ctx, baseline(otherwise("Allow", label("tier", "front")), denied))
			}},
			// The guard let two of the server's eight flows of its own namespace through.
			{Name: "no guard", Moves: &engine.Moves{Connections: 2*2*2 - 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State()))
			}},
			{Name: "open", Moves: &engine.Moves{Connections: 2 * 3 * 2 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemoveBaseline(ctx)
			}},
		},
	}
})
