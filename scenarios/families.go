package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.IPv6Only = true
	return engine.Scenario{
		Name:     "IPv6 alone",
		Doc:      "Pods that have an IPv6 address and no other are counted, routed and held by a policy like all others.",
		Labels:   []engine.Label{Identity, Policy},
		Needs:    []workloads.Feature{workloads.IPv6},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "add", Moves: effects.Moves{Gauges: 2, Routes: 1, Connections: 48}, Do: addLike(localClient)},
		},
	}
})

var _ = register(func(Params) engine.Scenario {
	topology := stage
	topology.DualStack = true
	block := func(s *networkingv1.NetworkPolicySpec, cidr string, except ...string) {
		s.Ingress[0].From = []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}}
	}
	return engine.Scenario{
		Name:     "dual stack, one family let in",
		Doc:      "A policy lets in addresses of one family, then of the other, then all but one: a pod's two addresses are judged apart.",
		Labels:   []engine.Label{Identity, Policy},
		Needs:    []workloads.Feature{workloads.IPv6},
		Timeout:  brief,
		Topology: topology, Arrange: arrangeStage,
		Steps: []engine.Step{
			// Twenty flows of each family lead to the server, five of them to the port of the policy.
			{Name: "IPv4", Moves: effects.Moves{Connections: 35}, Do: func(ctx context.Context, w *engine.World) error {
				p := guard(w)
				block(&p.Spec, workloads.PoolV4.String())
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{p})
			}},
			{Name: "IPv6", Moves: effects.Moves{Connections: 10}, Do: changeGuard(func(s *networkingv1.NetworkPolicySpec) { block(s, workloads.PoolV6.String()) })},
			{Name: "all but one", Moves: effects.Moves{Connections: 1}, Do: func(ctx context.Context, w *engine.World) error {
				one := onStage(w, 1, remoteClient).IPs[1]
				return changeGuard(func(s *networkingv1.NetworkPolicySpec) { block(s, workloads.PoolV6.String(), one.String()+"/128") })(ctx, w)
			}},
		},
	}
})
