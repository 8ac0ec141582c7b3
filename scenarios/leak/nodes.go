package leak

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(churn{
	name: "nodes", doc: "Nodes come and go, each with a pod; what the SUT holds must not grow.",
	thing: "node", objects: 20, topology: small, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		pods, err := c.successors(w, standing(w, false), c.objects)
		if err != nil {
			return nil, err
		}
		var nodes []workloads.Node
		var names []string
		for i := range pods {
			// The plan's own nodes have the first addresses.
			number := 100 + (c.number()*c.objects+i)%60000
			nodes = append(nodes, workloads.Node{Name: named("node", c.number(), i), IP: workloads.NodeAddress(number)})
			names, pods[i].Node = append(names, nodes[i].Name), nodes[i].Name
		}
		if err := w.Fleet.AddNodes(ctx, nodes); err != nil {
			return nil, err
		}
		return func() error {
			if err := w.Fleet.RemovePods(ctx, keys(pods), workloads.Graceful); err != nil {
				return err
			}
			return w.Fleet.RemoveNodes(ctx, names)
		}, w.Fleet.AddPods(ctx, pods)
	},
})
