package scenarios

import (
	"context"

	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = forEachClusterWide(func(k clusterWide, _ Params) engine.Scenario {
	closing := func(subject wideSubject) workloads.ClusterPolicy {
		return workloads.ClusterPolicy{Name: "closed", Spec: wideSpec{Tier: policyv1alpha2.AdminTier, Priority: 7, Subject: subject, Ingress: []wideIn{otherwise("Deny", everything())}}}
	}
	// A pod loses five peers on two ports by two protocols, or has them back.
	pods := func(n int) effects.Moves { return effects.Moves{Connections: n * 5 * 2 * 2} }
	return engine.Scenario{
		Name:     k.word + " subject relabelled",
		Doc:      "Namespaces and pods become and cease to be the subject of one of the " + k.title + " by their labels alone: it holds for those that are, and for no others.",
		Labels:   []engine.Label{Calc},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "namespaces", Moves: pods(2), Do: func(ctx context.Context, w *engine.World) error {
				return k.add(ctx, w.Fleet, closing(wideSubject{Namespaces: label("tier", "front")}))
			}},
			{Name: "a namespace joins", Moves: pods(2), Do: relabelNamespace(1, "front")},
			{Name: "a namespace leaves", Moves: pods(2), Do: relabelNamespace(0, "back")},
			{Name: "they change places", Moves: pods(4), Do: func(ctx context.Context, w *engine.World) error {
				if err := relabelNamespace(0, "front")(ctx, w); err != nil {
					return err
				}
				return relabelNamespace(1, "back")(ctx, w)
			}},
			// Of the first namespace's two local pods the server alone stays held.
			{Name: "pods", Moves: pods(1), Do: func(ctx context.Context, w *engine.World) error {
				return k.change(ctx, w.Fleet, closing(podsIn("front", "server")))
			}},
			{Name: "a namespace with such a pod joins", Moves: pods(1), Do: relabelNamespace(1, "front")},
			{Name: "a pod joins", Moves: pods(1), Do: relabel(1, localClient, "server")},
			{Name: "a pod leaves", Moves: pods(1), Do: relabel(0, server, "client")},
			{Name: "a namespace with such pods leaves", Moves: pods(2), Do: relabelNamespace(1, "back")},
			{Name: "open", Do: func(ctx context.Context, w *engine.World) error { return k.remove(ctx, w.Fleet, "closed") }},
		},
	}
})
