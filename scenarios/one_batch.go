package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// flickers is how many remote clients flicker, and flickering how often each does in a step: so many changes at once that an agent takes
// several of one pod together.
const (
	flickers   = 8
	flickering = 5
)

var _ = register(func(p Params) engine.Scenario {
	repeat := or(p.Cycles, 4)
	return engine.Scenario{
		Name: "gone and back in one batch",
		Doc: "Eight clients on another node, and their namespace, cease to be what a policy means and are it again within milliseconds, many times at once; in the end" +
			" the policy's sets hold them all.",
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
			{Name: "hear the tier alone", Do: changeGuard(func(s *networkingv1.NetworkPolicySpec) {
				s.Ingress[0].From[0].NamespaceSelector = label("tier", "front")
			})},
			{Name: "by their namespace", Repeat: repeat, Do: func(ctx context.Context, w *engine.World) error {
				for range flickering {
					for _, tier := range []string{"back", "front"} {
						if err := relabelNamespace(0, tier)(ctx, w); err != nil {
							return err
						}
					}
				}
				return nil
			}},
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
				for range flickering {
					if err := once(within, w, pod); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return group.Wait()
	}
}
