package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name: "pod churn",
		Doc: "Pods stand in a ring under policies that let some roles talk; each cycle the oldest tenth goes, half gracefully and half by force, and new" +
			" ones take its place.",
		Labels:   []engine.Label{Churn},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 5, PodsPerNamespace: 20, Local: 50, DualStack: true}),
		Steps: []engine.Step{
			{Name: "let some talk", Do: letSomeTalk},
			{Name: "churn", Repeat: or(p.Cycles, 10), Do: turnPodRing},
		},
	}
})

// letSomeTalk lets the pods of each namespace hear, on one port, those of two roles wherever they are.
func letSomeTalk(ctx context.Context, w *engine.World) error {
	talkers := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "role", Operator: metav1.LabelSelectorOpIn, Values: []string{"api", "web"},
	}}}
	var policies []workloads.Policy
	for _, ns := range w.Fleet.State().Namespaces().List() {
		policies = append(policies, workloads.Policy{
			Key:  workloads.Key{Namespace: ns.Name, Name: "talk"},
			Spec: hears(everything(), on(effects.Ports[0]), networkingv1.NetworkPolicyPeer{NamespaceSelector: everything(), PodSelector: talkers}),
		})
	}
	return w.Fleet.AddPolicies(ctx, policies)
}

func turnPodRing(ctx context.Context, w *engine.World) error {
	pods := w.Plan.Ring(w.Fleet.State())
	n := max(1, len(pods)/10)
	var gone []workloads.Key
	for _, p := range pods[:n] {
		gone = append(gone, p.Key)
	}
	if err := w.Fleet.RemovePods(ctx, gone[:n/2], workloads.Graceful); err != nil {
		return err
	}
	if err := w.Fleet.RemovePods(ctx, gone[n/2:], workloads.Forced); err != nil {
		return err
	}
	fresh, err := w.Plan.Successors(pods[:n])
	if err != nil {
		return err
	}
	return w.Fleet.AddPods(ctx, fresh)
}
