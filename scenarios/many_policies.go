package scenarios

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// together is how many policies hold for one pod: more than the five after which agents that put policies into groups look whether it is decided.
const together = 7

// The stage's policy and its like, each of which lets one more port in; the last lets in the second namespace on the second port.
var _ = register(func(p Params) engine.Scenario {
	like := func(w *engine.World, number int) workloads.Policy {
		p := guard(w)
		p.Name = fmt.Sprintf("guard-%d", number)
		p.Spec.Ingress[0].Ports = on(7000 + uint16(number))
		return p
	}
	return engine.Scenario{
		Name:     "many policies of one pod",
		Doc:      "Seven policies hold for one pod; one of them goes and another comes in one batch of the agent's; then there are fewer, and one.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "come", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for i := 1; i < together; i++ {
					policies = append(policies, like(w, i))
				}
				return w.Fleet.AddPolicies(ctx, policies)
			}},
			{Name: "another for the last", Repeat: or(p.Cycles, 2), Do: frozen(func(ctx context.Context, w *engine.World) error {
				keys := policyKeys(w.Fleet.State())
				next := like(w, together+w.Cycle)
				next.Spec.Ingress[0] = networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: label("tier", "back")}}, Ports: on(effects.Ports[w.Cycle%2])}
				if err := w.Fleet.RemovePolicies(ctx, keys[len(keys)-1:]); err != nil {
					return err
				}
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{next})
			})},
			{Name: "fewer", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State())[2:5])
			}},
			{Name: "one", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State())[1:])
			}},
		},
	}
})

// Of as many cluster-wide policies that hold for one pod the first that says something decides, though the last denies all.
var _ = forEachClusterWide(func(k clusterWide, _ Params) engine.Scenario {
	return engine.Scenario{
		Name:     "many " + k.title + " of one pod",
		Doc:      "Seven " + k.title + " hold for one pod: the first that says something decides, though the last denies all; then the first goes.",
		Labels:   []engine.Label{Identity},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			// Of twenty flows to the server those of its own two clients on one port go on: what denies all comes after what accepts these.
			{Name: "come", Moves: effects.Moves{Connections: 18}, Do: func(ctx context.Context, w *engine.World) error {
				all := []workloads.ClusterPolicy{over("first", 1, comes("Accept", clients, effects.Ports[0]))}
				for i := int32(2); i < together; i++ {
					all = append(all, over(fmt.Sprintf("next-%d", i), i, comes("Deny", podsIn("front", "nobody"), 0)))
				}
				if err := k.add(ctx, w.Fleet, all...); err != nil {
					return err
				}
				return k.add(ctx, w.Fleet, over("last", together, otherwise("Deny", everything())))
			}},
			{Name: "the first goes", Moves: effects.Moves{Connections: 2}, Do: func(ctx context.Context, w *engine.World) error {
				return k.remove(ctx, w.Fleet, "first")
			}},
		},
	}
})
