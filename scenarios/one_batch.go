package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// flickers is how many remote clients come to flicker, and flickering how often each, or something else, does in a step.
const (
	flickers   = 10
	flickering = 2
)

var _ = register(func(p Params) engine.Scenario {
	repeat := or(p.Cycles, 2)
	return engine.Scenario{
		Name: "gone and back in one batch",
		Doc: "While the agent has no processor for some tenths of a second, clients on another node, their namespace, a local pod and a policy go, or cease to be what a policy" +
			" means, and are back, or others are in their place: it takes the changes in one batch, and must not lose the one for the other.",
		Labels:   []engine.Label{Identity, Churn, Policy},
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
				idle.Labels = map[string]string{"role": "idle", "turned": pod.Labels["turned"]}
				if err := w.Fleet.RelabelPods(ctx, []workloads.Pod{idle}); err != nil {
					return err
				}
				return w.Fleet.RelabelPods(ctx, []workloads.Pod{pod})
			})},
			{Name: "by deletion", Repeat: repeat, Do: flicker(remoteClients, remake)},
			{Name: "others with their addresses", Repeat: repeat, Do: frozen(func(ctx context.Context, w *engine.World) error {
				for _, old := range remoteClients(w) {
					next, err := heir(w, old)
					if err != nil {
						return err
					}
					if err := w.Fleet.RemovePods(ctx, []workloads.Key{old.Key}, workloads.Graceful); err != nil {
						return err
					}
					if err := w.Fleet.AddPods(ctx, []workloads.Pod{next}); err != nil {
						return err
					}
				}
				return nil
			})},
			{Name: "another for the policy", Repeat: repeat, Do: frozen(swapRoles)},
			{Name: "a local pod's object", Repeat: repeat, Do: flicker(
				func(w *engine.World) []workloads.Pod { // in the role that it has by now
					return []workloads.Pod{w.Fleet.State().Pods().Get(onStage(w, 0, localClient).Key)}
				},
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

// remoteClients are those of the first namespace, but for the one that came last.
func remoteClients(w *engine.World) []workloads.Pod {
	var pods []workloads.Pod
	for _, p := range w.Fleet.State().RemotePods() {
		if p.Namespace == onStage(w, 0, remoteClient).Namespace && p.Labels["last"] == "" {
			pods = append(pods, p)
		}
	}
	return pods
}

// swapRoles lets the first namespace's local client and server change their parts: for a moment the policy is for nobody.
func swapRoles(ctx context.Context, w *engine.World) error {
	s := w.Fleet.State()
	was, will := s.Pods().Get(onStage(w, 0, server).Key), s.Pods().Get(onStage(w, 0, localClient).Key)
	if was.Labels["role"] != "server" {
		was, will = will, was
	}
	was.Labels, will.Labels = will.Labels, was.Labels
	if err := w.Fleet.RelabelPods(ctx, []workloads.Pod{was}); err != nil {
		return err
	}
	return w.Fleet.RelabelPods(ctx, []workloads.Pod{will})
}

// frozen does it while the agent is frozen. Before it come changes of no effect: an agent may take the first ones that it finds one by one. After
// it comes one that shows: as long as a client is not let in that came last, what is right may be so because the agent has seen nothing yet.
func frozen(do func(context.Context, *engine.World) error) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		batch := func() error {
			pods := remoteClients(w)
			for i, p := range pods {
				turned := map[string]string{"": "once", "once": "again", "again": "once"}[p.Labels["turned"]]
				pods[i].Labels = map[string]string{"role": p.Labels["role"], "turned": turned}
			}
			if err := w.Fleet.RelabelPods(ctx, pods); err != nil {
				return err
			}
			if err := do(ctx, w); err != nil {
				return err
			}
			return bringLast(ctx, w)
		}
		return w.Away(func() error { return w.Freeze(batch) })
	}
}

// bringLast adds a remote client to the first namespace in place of the one before.
func bringLast(ctx context.Context, w *engine.World) error {
	var before []workloads.Key
	for _, p := range w.Fleet.State().RemotePods() {
		if p.Labels["last"] != "" {
			before = append(before, p.Key)
		}
	}
	last, err := w.Plan.Successor(onStage(w, 0, remoteClient))
	if err != nil {
		return err
	}
	last.Labels = map[string]string{"role": "client", "last": "yes"}
	if err := w.Fleet.RemovePods(ctx, before, workloads.Graceful); err != nil {
		return err
	}
	return w.Fleet.AddPods(ctx, []workloads.Pod{last})
}

// flicker lets each of some objects go and come back, again and again, while the agent is frozen.
func flicker[T any](all func(*engine.World) []T, once func(context.Context, *engine.World, T) error) func(context.Context, *engine.World) error {
	return frozen(func(ctx context.Context, w *engine.World) error {
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
