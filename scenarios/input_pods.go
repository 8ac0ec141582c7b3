package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The inputs of the calculation that concern pods.
var _, _, _, _, _, _, _ = onInput("input: local pod added", "A client that comes to the SUT's node is counted, routed and let in; nobody else notices.",
	move{"add", effects.Moves{Gauges: 2, Routes: 1, Connections: 48}, addLike(localClient)},
), onInput("input: local pod deleted", "A client that leaves the SUT's node is forgotten; nobody else notices.",
	move{"delete", effects.Moves{Gauges: 2, Routes: 1, Connections: 40}, deletePod(localClient)},
), onInput("input: local pod relabelled", "A local server that passes from one policy to another is held by the other alone, and a local client that is none any more is kept out.",
	move{"add a policy for nobody", effects.Moves{}, lock},
	move{"server becomes locked", effects.Moves{Connections: 2}, relabel(0, server, "locked")},
	move{"locked becomes server", effects.Moves{Connections: 2}, relabel(0, server, "server")},
	move{"client becomes idle", effects.Moves{Connections: 1}, relabel(0, localClient, "idle")},
	move{"idle becomes client", effects.Moves{Connections: 1}, relabel(0, localClient, "client")},
), onInput("input: remote pod added", "A client that comes to another node is counted and let in, by its packets; nobody else notices.",
	move{"add", effects.Moves{Gauges: 1, Connections: 32}, addLike(remoteClient)},
), onInput("input: remote pod deleted", "A client that leaves another node is forgotten; nobody else notices.",
	move{"delete", effects.Moves{Gauges: 1, Connections: 32}, deletePod(remoteClient)},
), onInput("input: remote pod relabelled", "A remote pod is let in while it is a client, and no longer.",
	move{"client becomes idle", effects.Moves{Connections: 1}, relabel(0, remoteClient, "idle")},
	move{"idle becomes client", effects.Moves{Connections: 1}, relabel(0, remoteClient, "client")},
), onInput("input: pod moved between nodes", "A client goes from the SUT's node to another with its name and address, and comes back: its route goes with it, and it stays let in.",
	move{"leave", effects.Moves{Gauges: 1, Routes: 1, Connections: 16}, func(ctx context.Context, w *engine.World) error {
		pod := onStage(w, 0, localClient)
		pod.Node = onStage(w, 0, remoteClient).Node
		return remake(ctx, w, pod)
	}},
	move{"come back", effects.Moves{Gauges: 1, Routes: 1, Connections: 16}, func(ctx context.Context, w *engine.World) error {
		return remake(ctx, w, onStage(w, 0, localClient))
	}},
)

// addLike adds a pod of the same kind as that of the first namespace at that position.
func addLike(position int) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		pod, err := w.Plan.Successor(onStage(w, 0, position))
		if err != nil {
			return err
		}
		return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
	}
}

func deletePod(position int) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		return w.Fleet.RemovePods(ctx, []workloads.Key{onStage(w, 0, position).Key}, workloads.Graceful)
	}
}

// relabel gives one of the stage's pods another role.
func relabel(namespace, position int, role string) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		pod := onStage(w, namespace, position)
		pod.Labels = map[string]string{"role": role}
		return w.Fleet.RelabelPods(ctx, []workloads.Pod{pod})
	}
}

// remake deletes the pod of that name and makes it as it is here.
func remake(ctx context.Context, w *engine.World, pod workloads.Pod) error {
	if err := w.Fleet.RemovePods(ctx, []workloads.Key{pod.Key}, workloads.Graceful); err != nil {
		return err
	}
	return w.Fleet.AddPods(ctx, []workloads.Pod{pod})
}

// lock adds a policy to the first namespace that lets nobody reach the pods in the role locked.
func lock(ctx context.Context, w *engine.World) error {
	p := guard(w)
	p.Name = "lock"
	p.Spec.PodSelector, p.Spec.Ingress = *label("role", "locked"), nil
	return w.Fleet.AddPolicies(ctx, []workloads.Policy{p})
}
