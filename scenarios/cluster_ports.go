package scenarios

import (
	"context"

	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// byName is a port by its name, whatever the protocol.
func byName(name string) []widePort { return []widePort{{DestinationNamedPort: name}} }

var _ = register(func(Params) engine.Scenario {
	policy := func(tier, role string, in []wideIn, out ...policyv1alpha2.ClusterNetworkPolicyEgressRule) []workloads.ClusterPolicy {
		return []workloads.ClusterPolicy{{Name: "names", Spec: wideSpec{Tier: policyv1alpha2.AdminTier, Priority: 1, Subject: podsIn(tier, role), Ingress: in, Egress: out}}}
	}
	named := func(action wideAction, from wideSubject, name string) wideIn {
		r := comes(action, from, 0)
		r.Protocols = byName(name)
		return r
	}
	to := func(action wideAction, protocols []widePort) policyv1alpha2.ClusterNetworkPolicyEgressRule {
		return policyv1alpha2.ClusterNetworkPolicyEgressRule{Action: action, To: []policyv1alpha2.ClusterNetworkPolicyEgressPeer{{Namespaces: everything()}}, Protocols: protocols}
	}
	all := wideSubject{Namespaces: everything()}
	return engine.Scenario{
		Name:     "cluster policies by port name",
		Doc:      "Cluster policies name ports that pods number differently, one by TCP and one by UDP: the destination's own number and protocol count, into a pod and out of one.",
		Labels:   []engine.Label{Identity, Policy, "cluster"},
		Needs:    []workloads.Feature{workloads.ClusterPolicies},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeNamedPorts,
		Steps: []engine.Step{
			// The first namespace's server loses one port by TCP of five peers.
			{Name: "deny", Moves: effects.Moves{Connections: 5}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddClusterPolicies(ctx, policy("front", "server", []wideIn{named("Deny", all, "http")}))
			}},
			// It has that back, and loses one by UDP.
			{Name: "deny by UDP", Moves: effects.Moves{Connections: 5 + 5}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeClusterPolicies(ctx, policy("front", "server", []wideIn{named("Deny", all, "dns")}))
			}},
			// Of three flows of each peer one is left.
			{Name: "accept one", Moves: effects.Moves{Connections: 5 * 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeClusterPolicies(ctx, policy("front", "server", []wideIn{named("Accept", all, "http"), comes("Deny", all, 0)}))
			}},
			// The server has three of each peer back, and of what the client sends one of four is left to each; what it sends to the server loses one and
			// gets another.
			{Name: "out", Moves: effects.Moves{Connections: 4*3 + 4*3 + 2}, Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.ChangeClusterPolicies(ctx, policy("front", "client", nil, to("Accept", byName("dns")), to("Deny", nil)))
			}},
			{Name: "open", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemoveClusterPolicies(ctx, []string{"names"})
			}},
		},
	}
})
