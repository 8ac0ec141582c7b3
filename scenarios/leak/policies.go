package leak

import (
	"context"
	"fmt"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(churn{
	name: "policies", doc: "Policies with selectors of their own come and go; what the SUT holds must not grow.",
	thing: "policy", objects: 20, topology: small, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		var policies []workloads.Policy
		var names []workloads.Key
		in := namespaces(w)
		for i := range c.objects {
			// Each policy selects its peers by a value of its own, so that the SUT makes a set for it.
			peers := inRoles("db", fmt.Sprintf("only-%d-%d", c.number(), i))
			key := workloads.Key{Namespace: in[i%len(in)], Name: named("policy", c.number(), i)}
			policies, names = append(policies, workloads.Policy{Key: key, Spec: hears(peers)}), append(names, key)
		}
		return func() error { return w.Fleet.RemovePolicies(ctx, names) }, w.Fleet.AddPolicies(ctx, policies)
	},
})
