package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	policies := or(p.Policies, 10)
	return engine.Scenario{
		Name: "sized cluster",
		Doc: "So many pods, all on the SUT's node unless --local says otherwise, under so many policies: how long these take to hold, what the agent holds once it is" +
			" settled, and how long one policy more takes. It is meant for fv sweep.",
		Labels:   []engine.Label{Scale, Clock, Slow},
		Timeout:  30 * time.Minute,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 10, PodsPerNamespace: 10, Local: -1}),
		Steps: []engine.Step{
			{Name: fmt.Sprintf("%d policies", policies), Do: func(ctx context.Context, w *engine.World) error { return addSized(ctx, w, policies) }},
			{Name: "rest", Settle: true},
			{Name: "one policy more", Repeat: or(p.Cycles, 5), Do: timeOneMore},
		},
	}
})

// addSized puts policies into force, each of which has peers that no other has and is for half of the pods of a namespace, and measures how long all of
// them take to hold together. The pods of the first shard stay open.
func addSized(ctx context.Context, w *engine.World, n int) error {
	in := w.Fleet.State().Namespaces().List()
	var policies []workloads.Policy
	for i := range n {
		shards := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "shard", Operator: metav1.LabelSelectorOpIn, Values: []string{"1", "2"}}}}
		peers := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: metav1.LabelSelectorOpIn, Values: []string{"web", fmt.Sprintf("only-%d", i)}}}}
		policies = append(policies, workloads.Policy{
			Key:  workloads.Key{Namespace: in[i%len(in)].Name, Name: fmt.Sprintf("sized-%d", i)},
			Spec: hears(&shards, on(effects.Ports[0]), networkingv1.NetworkPolicyPeer{PodSelector: &peers}),
		})
	}
	begun := time.Now()
	if err := w.Fleet.AddPolicies(ctx, policies); err != nil {
		return err
	}
	written := time.Now()
	if err := w.Converge(ctx); err != nil {
		return err
	}
	took := time.Since(written)
	w.Measure(metrics.Measurement{
		Name: "policies in force", Unit: metrics.Seconds, Doc: "From the last acknowledged write until all that is checked of them held.",
		Samples: []metrics.Sample{metrics.Since(begun, took, 0)},
	})
	return nil
}

// timeOneMore times a policy that isolates a pod which was open, and its end.
func timeOneMore(ctx context.Context, w *engine.World) error {
	t := &timekeeper{w, "rest"}
	var open []workloads.Pod
	for _, p := range w.Plan.Ring(w.Fleet.State()) {
		if p.Labels["shard"] == "0" && p.Node == w.Fleet.State().LocalNode {
			open = append(open, p)
		}
	}
	if len(open) < 2 {
		return nil // in a cluster this small there is nobody to send
	}
	held := open[0]
	spec := hears(&metav1.LabelSelector{MatchLabels: held.Labels}, nil)
	spec.Ingress = nil
	more := workloads.Policy{Key: workloads.Key{Namespace: held.Namespace, Name: "one-more"}, Spec: spec}
	stream := flowBetween(w, open[1], held, 0, corev1.ProtocolUDP)
	return errors.Join(
		t.time(ctx, "policy added", stream, denies, func(ctx context.Context) error { return w.Fleet.AddPolicies(ctx, []workloads.Policy{more}) }),
		t.time(ctx, "policy deleted", stream, allows, func(ctx context.Context) error { return w.Fleet.RemovePolicies(ctx, []workloads.Key{more.Key}) }),
	)
}
