package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// patience is how long a bed waits for what a fault keeps from coming.
const patience = 6 * time.Second

// quiet is how long the kernel must have announced no change for the agent to be at rest.
const quiet = time.Second

// Bed returns the scenario in which a fault is made, and what every scenario is checked for is checked.
func Bed(f Fault, s Saboteur) engine.Scenario {
	sc := engine.Scenario{Name: f.Name, Doc: "A fault made on purpose.", Labels: []engine.Label{"fault"}, Needs: f.Needs, Timeout: 3 * time.Minute}
	if slices.Contains(f.Needs, workloads.ProxiedRequests) {
		sc.Topology, sc.Steps = amidRoutes(f, s)
	} else {
		sc.Topology, sc.Steps = amidPods(f, s)
	}
	return sc
}

// amidPods is the bed of an agent of the network of pods: they come and go under policies that select them. If the fault is to be survived, churn
// goes on after it; else the agent is at rest before.
func amidPods(f Fault, s Saboteur) (workloads.Topology, []engine.Step) {
	steps := []engine.Step{
		{Name: "policies", Do: addPolicies},
		{Name: "churn", Repeat: 2, Do: churn},
	}
	breaks := engine.Step{Name: "break", Do: func(ctx context.Context, w *engine.World) error { return f.Break(ctx, w, s) }}
	if len(f.Causes) == 0 {
		steps = append(steps, breaks, engine.Step{Name: "churn on", Repeat: 3, Do: churn})
	} else {
		breaks.Patience = patience
		steps = append(steps, engine.Step{Name: "rest", Do: rest}, breaks)
	}
	return workloads.Topology{RemoteNodes: 1, Namespaces: 2, PodsPerNamespace: 8, Local: 8}, steps
}

// addPolicies isolates every pod and lets some of them talk, so that there are sets with members.
func addPolicies(ctx context.Context, w *engine.World) error {
	tcp, port := corev1.ProtocolTCP, intstr.FromInt32(int32(effects.Ports[0]))
	var policies []workloads.Policy
	for name := range w.Fleet.State().Namespaces().All() {
		policies = append(policies, workloads.Policy{
			Key: workloads.Key{Namespace: name.Name, Name: "talk"},
			Spec: networkingv1.NetworkPolicySpec{
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress: []networkingv1.NetworkPolicyIngressRule{{
					From: []networkingv1.NetworkPolicyPeer{{
						NamespaceSelector: &metav1.LabelSelector{},
						PodSelector:       &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: metav1.LabelSelectorOpIn, Values: []string{"web", "api"}}}},
					}},
					Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}},
				}},
			},
		})
	}
	return w.Fleet.AddPolicies(ctx, policies)
}

// churn replaces the oldest pods of the ring, a quarter of them.
func churn(ctx context.Context, w *engine.World) error {
	ring := w.Plan.Ring(w.Fleet.State())
	ring = ring[:max(1, len(ring)/4)]
	fresh, err := w.Plan.Successors(ring)
	if err != nil {
		return err
	}
	var gone []workloads.Key
	for _, p := range ring {
		gone = append(gone, p.Key)
	}
	return errors.Join(w.Fleet.RemovePods(ctx, gone, workloads.Graceful), w.Fleet.AddPods(ctx, fresh))
}

// rest waits until the agent has nothing left to do: in nftables mode an agent may read the whole table again before it writes the next time, so
// that what the churn has left to be done would mend a fault at once.
func rest(ctx context.Context, w *engine.World) error {
	bound := time.After(engine.DefaultBound)
	for calm := time.NewTimer(quiet); ; {
		select {
		case <-calm.C:
			return nil
		case <-w.Wake:
			calm.Reset(quiet)
		case <-bound:
			return fmt.Errorf("the kernel announces changes without end: no %v in %v without one", quiet, engine.DefaultBound)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
