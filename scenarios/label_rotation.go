package scenarios

import (
	"context"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// maturities are the values of the namespaces' label of that name. At any time one of them is in no use: each turn gives it to
// the namespaces that have the one before it.
var maturities = []string{"production", "test", "staging", "experimental", "out-of-service"}

const areas = 5

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "label rotation",
		Doc:      "The label maturity goes round 20 namespaces of 1,000 labelled pods on 50 nodes; policies that select by it let other namespaces in each time.",
		Labels:   []engine.Label{Churn, Policy},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{RemoteNodes: 49, Namespaces: 20, PodsPerNamespace: 50, Local: 20}),
		Arrange:  arrangeMaturities,
		Steps: []engine.Step{
			{Name: "gate", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for i, ns := range w.Fleet.State().Namespaces().List() {
					policies = append(policies, maturityGate(ns, i))
				}
				return w.Fleet.AddPolicies(ctx, policies)
			}},
			{Name: "rotate", Repeat: or(p.Cycles, len(maturities)), Do: rotate},
		},
	}
})

func arrangeMaturities(s *workloads.State) {
	for i, ns := range s.Namespaces().List() {
		ns.Labels = map[string]string{"area": fmt.Sprint("area", i%areas), "maturity": maturities[i%(len(maturities)-1)]}
		s.Put(ns)
		for j, pod := range podsOf(*s, ns.Name) {
			n := i + j // so that the local pods, which have the same place in each namespace, differ
			s.Remove(workloads.PodKind.Part(pod.Key))
			pod.Labels = map[string]string{
				"role": fmt.Sprint("role", n%5), "instance": fmt.Sprint("instance", n/5%5), "ha": []string{"active", "backup"}[n%2],
			}
			part := pod.Labels["role"] + "-" + pod.Labels["ha"]
			if pod.Node != s.LocalNode {
				part += "-remote"
			}
			s.Put(pod.InPart(part))
		}
	}
}

// maturityGate lets into a namespace those of two maturities, and the active pods of its own area on the first port.
func maturityGate(ns workloads.Namespace, number int) workloads.Policy {
	two := []string{maturities[number%len(maturities)], maturities[(number+2)%len(maturities)]}
	mature := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "maturity", Operator: metav1.LabelSelectorOpIn, Values: two,
	}}}
	spec := hears(everything(), nil, networkingv1.NetworkPolicyPeer{NamespaceSelector: mature})
	spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{
		From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: label("area", ns.Labels["area"]), PodSelector: label("ha", "active")}},
		Ports: on(effects.Ports[0]),
	})
	return workloads.Policy{Key: workloads.Key{Namespace: ns.Name, Name: "gate"}, Spec: spec}
}

// rotate gives the maturity that is in no use to the namespaces of the one before it. Namespaces that change nothing for the
// pods that are looked at would prove nothing, so that is an error.
func rotate(ctx context.Context, w *engine.World) error {
	before := w.Fleet.State()
	unused := (len(maturities) - 1) * w.Cycle % len(maturities) // the last, then the one before it
	from, to := maturities[(unused+len(maturities)-1)%len(maturities)], maturities[unused]
	var changed []workloads.Namespace
	for _, ns := range before.Namespaces().List() {
		if ns.Labels["maturity"] == from {
			ns.Labels = map[string]string{"area": ns.Labels["area"], "maturity": to}
			changed = append(changed, ns)
		}
	}
	if err := w.Fleet.RelabelNamespaces(ctx, changed); err != nil {
		return err
	}
	probe := effects.Connections{}
	if engine.Differing(probe.Want(before), probe.Want(w.Fleet.State())) == 0 {
		return errors.New("the rotation changed nothing for the sample of pods: use more namespaces or local pods")
	}
	return nil
}
