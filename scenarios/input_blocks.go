package scenarios

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The server hears addresses on its policy's port; at first two clients are heard, its namespace's own.
var _ = onInput("input: address blocks", "A policy hears a block of addresses but for several exceptions, then but for fewer, then blocks of one address each.",
	move{"three exceptions", effects.Moves{Connections: 2}, hearBlocks(func(w *engine.World) []networkingv1.IPBlock {
		return []networkingv1.IPBlock{allBut(onStage(w, 0, remoteClient), onStage(w, 1, localClient), onStage(w, 1, remoteClient))}
	})},
	move{"one exception", effects.Moves{Connections: 2}, hearBlocks(func(w *engine.World) []networkingv1.IPBlock {
		return []networkingv1.IPBlock{allBut(onStage(w, 0, remoteClient))}
	})},
	move{"two addresses", effects.Moves{Connections: 2}, hearBlocks(func(w *engine.World) []networkingv1.IPBlock {
		return []networkingv1.IPBlock{{CIDR: alone(onStage(w, 0, localClient))}, {CIDR: alone(onStage(w, 1, remoteClient))}}
	})},
	// What one block leaves out another lets in.
	move{"an exception and its address", effects.Moves{Connections: 3}, hearBlocks(func(w *engine.World) []networkingv1.IPBlock {
		far := onStage(w, 1, remoteClient)
		return []networkingv1.IPBlock{allBut(far), {CIDR: alone(far)}}
	})},
)

func hearBlocks(blocks func(*engine.World) []networkingv1.IPBlock) func(context.Context, *engine.World) error {
	return func(ctx context.Context, w *engine.World) error {
		return changeGuard(func(s *networkingv1.NetworkPolicySpec) {
			s.Ingress[0].From = nil
			for _, b := range blocks(w) {
				s.Ingress[0].From = append(s.Ingress[0].From, networkingv1.NetworkPolicyPeer{IPBlock: &b})
			}
		})(ctx, w)
	}
}

// allBut is the block of all pods' addresses, some pods' excepted.
func allBut(pods ...workloads.Pod) networkingv1.IPBlock {
	b := networkingv1.IPBlock{CIDR: workloads.PoolV4.String()}
	for _, p := range pods {
		b.Except = append(b.Except, alone(p))
	}
	return b
}

// alone is the block of a pod's first address, which is of IPv4.
func alone(p workloads.Pod) string { return p.IPs[0].String() + "/32" }
