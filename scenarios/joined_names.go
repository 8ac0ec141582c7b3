package scenarios

import (
	"context"
	"errors"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "services of joined names", Labels: []engine.Label{Requests, Basic}, Needs: []workloads.Feature{workloads.RequestRouting, workloads.ProxiedRequests}, Timeout: brief,
		Doc: "Two services of two namespaces have names that are the same once namespace and name are joined by a hyphen: the requests of each route reach its own service, and none" +
			" another namespace's.",
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: 2, Local: -1},
		Steps: []engine.Step{{Name: "routes", Do: func(ctx context.Context, w *engine.World) error {
			f := frontOf(w)
			pods := f.pods()
			longer := workloads.Namespace{Name: pods[0].Namespace + "-x"}
			service, slice := f.Service("x-web", pods[0])
			other, its := f.Service("web", pods[1])
			other.Namespace, its.Namespace = longer.Name, longer.Name
			return errors.Join(
				w.Fleet.Add(ctx, longer, service, slice, other, its), f.open(ctx),
				w.Fleet.Add(ctx, f.route("one", "one.example", service.Key), f.route("two", "two.example", other.Key)),
			)
		}}},
	}
})
