package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// flickers is how many remote clients flicker, and flickering how often each, or something else, does in a step: so fast that an agent takes
// several changes of one object together.
const (
	flickers   = 8
	flickering = 3
)

var _ = register(func(p Params) engine.Scenario {
	repeat := or(p.Cycles, 3)
	return engine.Scenario{
		Name: "gone and back in one batch",
		Doc: "Eight clients on another node, their namespace, a local pod and a policy go, or cease to be what a policy means, and are back within milliseconds, many" +
			" times at once; in the end all is as it was.",
		Labels:   []string{Identity, Churn, "policy"},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "clients come", Do: func(ctx context.Context, w *engine.World) error {
				var pods []workloads.Pod
				for range flickers {
					pod, err := w.Plan.Successor(onStage(w, 0, remoteClient))
					if err != nil {
						return err
					}
					pod.Labels = map[string]string{"role": "client"}
					pods = append(pods, pod)
				}
				return w.Fleet.AddPods(ctx, pods)
			}},
			{Name: "by label", Repeat: repeat, Do: flicker(func(ctx context.Context, w *engine.World, pod workloads.Pod) error {
				idle := pod
				idle.Labels = map[string]string{"role": "idle"}
				if err := w.Fleet.RelabelPods(ctx, []workloads.Pod{idle}); err != nil {
					return err
				}
				return w.Fleet.RelabelPods(ctx, []workloads.Pod{pod})
			})},
			{Name: "by deletion", Repeat: repeat, Do: flicker(remake)},
			{Name: "the policy", Repeat: repeat, Do: again(func(ctx context.Context, w *engine.World) error {
				if err := w.Fleet.RemovePolicies(ctx, []workloads.Key{guard(w).Key}); err != nil {
					return err
				}
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{guard(w)})
			})},
			{Name: "a local pod's object", Repeat: repeat, Do: again(func(ctx context.Context, w *engine.World) error {
				pod := onStage(w, 0, localClient)
				if err := w.Fleet.RemovePods(ctx, []workloads.Key{pod.Key}, workloads.Lingering); err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
			})},
			{Name: "hear the tier alone", Do: changeGuard(func(s *networkingv1.NetworkPolicySpec) {
				s.Ingress[0].From[0].NamespaceSelector = label("tier", "front")
			})},
			{Name: "by their namespace", Repeat: repeat, Do: again(func(ctx context.Context, w *engine.World) error {
				if err := relabelNamespace(0, "back")(ctx, w); err != nil {
					return err
				}
				return relabelNamespace(0, "front")(ctx, w)
			})},
		},
	}
})

// flicker lets all remote clients of the first namespace go and come back, each on its own and again and again.
func flicker(once func(context.Context, *engine.World, workloads.Pod) error) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		group, within := errgroup.WithContext(ctx)
		for _, pod := range podsOf(w.Fleet.State(), onStage(w, 0, remoteClient).Namespace) {
			if pod.Node == w.Fleet.State().LocalNode {
				continue
			}
			group.Go(func() error {
				return again(func(ctx context.Context, w *engine.World) error { return once(ctx, w, pod) })(within, w)
			})
		}
		return group.Wait()
	}
}

// again does it as often as a pod flickers.
func again(once func(context.Context, *engine.World) error) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		for range flickering {
			if err := once(ctx, w); err != nil {
				return err
			}
		}
		return nil
	}
}
