package leak

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var (
	_ = register(churn{
		name: "local-pods", doc: "Pods of the local node come and go, half of them gracefully and half by force; what the SUT holds must not grow.",
		thing: "pod", objects: 100, topology: small, needs: onNode, turn: podsAt(true),
	})
	_ = register(churn{
		name: "remote-pods", doc: "Pods of other nodes come and go; what the SUT holds must not grow.",
		thing: "pod", objects: 200, topology: small, needs: onNode, turn: podsAt(false),
	})
)

func podsAt(local bool) func(context.Context, *engine.World, *course) (func() error, error) {
	return func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		pods, err := c.successors(w, standing(w, local), c.objects)
		if err != nil {
			return nil, err
		}
		half := len(pods) / 2
		return func() error {
			if err := w.Fleet.RemovePods(ctx, keys(pods[:half]), workloads.Graceful); err != nil {
				return err
			}
			return w.Fleet.RemovePods(ctx, keys(pods[half:]), workloads.Forced)
		}, w.Fleet.AddPods(ctx, pods)
	}
}
