package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// flickers is how many remote clients come to flicker, and flickering how often each, or something else, does in a step: an agent may take the
// first changes one by one, but not all of them.
const (
	flickers   = 3
	flickering = 8
)

var _ = register(func(p Params) engine.Scenario {
	repeat := or(p.Cycles, 2)
	return engine.Scenario{
		Name: "gone and back in one batch",
		Doc: "While the agent has no processor for some tenths of a second, clients on another node, their namespace, a local pod and a policy go, or cease to be what a policy" +
			" means, and are back, many times: it takes the changes in one batch, after which all must be as it was.",
		Labels:   []string{Identity, Churn, "policy"},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "clients come", Do: func(ctx context.Context, w *engine.World) error {
				for range flickers {
					if err := addLike(remoteClient)(ctx, w); err != nil {
						return err
					}
				}
				return nil
			}},
			{Name: "by label", Repeat: repeat, Do: flicker(remoteClients, func(ctx context.Context, w *engine.World, pod workloads.Pod) error {
				idle := pod
				idle.Labels = map[string]string{"role": "idle"}
				if err := w.Fleet.RelabelPods(ctx, []workloads.Pod{idle}); err != nil {
					return err
				}
				return w.Fleet.RelabelPods(ctx, []workloads.Pod{pod})
			})},
			{Name: "by deletion", Repeat: repeat, Do: flicker(remoteClients, remake)},
			{Name: "a local pod's object", Repeat: repeat, Do: flicker(
				func(w *engine.World) []workloads.Pod { return []workloads.Pod{onStage(w, 0, localClient)} },
				func(ctx context.Context, w *engine.World, pod workloads.Pod) error {
					if err := w.Fleet.RemovePods(ctx, []workloads.Key{pod.Key}, workloads.Lingering); err != nil {
						return err
					}
					return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
				})},
			{Name: "the policy", Repeat: repeat, Do: flicker(
				func(w *engine.World) []workloads.Policy { return []workloads.Policy{guard(w)} },
				func(ctx context.Context, w *engine.World, p workloads.Policy) error {
					if err := w.Fleet.RemovePolicies(ctx, []workloads.Key{p.Key}); err != nil {
						return err
					}
					return w.Fleet.AddPolicies(ctx, []workloads.Policy{p})
				})},
			{Name: "hear the tier alone", Do: changeGuard(func(s *networkingv1.NetworkPolicySpec) {
				s.Ingress[0].From[0].NamespaceSelector = label("tier", "front")
			})},
			{Name: "by their namespace", Repeat: repeat, Do: flicker(
				func(*engine.World) []int { return []int{0} },
				func(ctx context.Context, w *engine.World, namespace int) error {
					if err := relabelNamespace(namespace, "back")(ctx, w); err != nil {
						return err
					}
					return relabelNamespace(namespace, "front")(ctx, w)
				})},
		},
	}
})

// remoteClients are those of the first namespace.
func remoteClients(w *engine.World) []workloads.Pod {
	var pods []workloads.Pod
	for _, p := range w.Fleet.State().RemotePods() {
		if p.Namespace == onStage(w, 0, remoteClient).Namespace {
			pods = append(pods, p)
		}
	}
	return pods
}

// flicker lets each of some objects go and come back, again and again, while the agent is frozen.
func flicker[T any](all func(*engine.World) []T, once func(context.Context, *engine.World, T) error) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		return w.Freeze(func() error {
			group, within := errgroup.WithContext(ctx)
			for _, object := range all(w) {
				group.Go(func() error {
					for range flickering {
						if err := once(within, w, object); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		})
	}
}
