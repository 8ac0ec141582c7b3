package leak

import (
	"context"
	"slices"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(churn{
	name: "namespaces", doc: "Namespaces come and go, each with a pod here, one elsewhere and a policy; what the SUT holds must not grow.",
	thing: "namespace", objects: 10, topology: small, needs: onNode,
	turn: func(ctx context.Context, w *engine.World, c *course) (func() error, error) {
		like := []workloads.Pod{standing(w, true)[0], standing(w, false)[0]}
		pods, err := c.successors(w, like, 2*c.objects)
		if err != nil {
			return nil, err
		}
		pods = slices.Clone(pods)
		var all []workloads.Namespace
		var names []string
		var policies []workloads.Policy
		for i := range c.objects {
			name := named("ns", c.number(), i)
			names, all = append(names, name), append(all, workloads.Namespace{Name: name, Labels: map[string]string{"team": name}})
			policies = append(policies, workloads.Policy{Key: workloads.Key{Namespace: name, Name: "talk"}, Spec: hears(everyone)})
			pods[2*i].Namespace, pods[2*i+1].Namespace = name, name
		}
		if err := w.Fleet.AddNamespaces(ctx, all); err != nil {
			return nil, err
		}
		if err := w.Fleet.AddPolicies(ctx, policies); err != nil {
			return nil, err
		}
		return func() error { return w.Fleet.RemoveNamespaces(ctx, names) }, w.Fleet.AddPods(ctx, pods)
	},
})
