package scenarios

import (
	"context"
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name: "bystanders of churn",
		Doc: "Pods of one namespace talk, by each protocol, some of them under a policy that stays, while policies and pods of the other namespaces come and go." +
			" No message is lost, and no connection fails.",
		Labels:   []engine.Label{Traffic, Churn, Policy},
		Timeout:  brief,
		Topology: workloads.Topology{RemoteNodes: 1, Namespaces: 4, PodsPerNamespace: 3, Local: 8}, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "fill", Do: func(ctx context.Context, w *engine.World) error {
				policies := []workloads.Policy{loadGuard(w)}
				for i := range standingPolicies {
					policies = append(policies, drawElsewhere(w, i))
				}
				return w.Fleet.AddPolicies(ctx, policies)
			}},
			{Name: "churn", Do: func(ctx context.Context, w *engine.World) error {
				return unharmed(ctx, w, "policies and pods churn elsewhere", func(ctx context.Context) error {
					for cycle := range or(p.Cycles, 20) {
						if err := churnElsewhere(ctx, w, cycle); err != nil {
							return err
						}
					}
					return nil
				})
			}},
		},
	}
})

// drawElsewhere draws the policy of that number in one of the namespaces in which nobody talks.
func drawElsewhere(w *engine.World, number int) workloads.Policy {
	policy := drawPolicy(w, number)
	elsewhere := w.Fleet.State().Namespaces().List()[1:]
	policy.Namespace = elsewhere[number%len(elsewhere)].Name
	return policy
}

// churnElsewhere lets the oldest policy elsewhere go and a new one come, and a pod there with its successor.
func churnElsewhere(ctx context.Context, w *engine.World, cycle int) error {
	guarded := loadGuard(w).Key
	for _, k := range policyKeys(w.Fleet.State()) {
		if k == guarded {
			continue
		}
		if err := w.Fleet.RemovePolicies(ctx, []workloads.Key{k}); err != nil {
			return err
		}
		break
	}
	if err := w.Fleet.AddPolicies(ctx, []workloads.Policy{drawElsewhere(w, standingPolicies+cycle)}); err != nil {
		return err
	}
	pods := podsOf(w.Fleet.State(), w.Fleet.State().Namespaces().List()[1+cycle%3].Name)
	old := pods[cycle%len(pods)]
	if err := w.Fleet.RemovePods(ctx, []workloads.Key{old.Key}, workloads.Graceful); err != nil {
		return err
	}
	successors, err := w.Plan.Successors([]workloads.Pod{old})
	if err != nil {
		return fmt.Errorf("plan a successor: %w", err)
	}
	return w.Fleet.AddPods(ctx, successors)
}
