package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// handover is to whom the address passes on: in the first namespace, whose policy lets its clients in, or the second, on the SUT's node or another, a
// client or none.
type handover struct {
	namespace int
	local     bool
	role      string
}

// handovers come in turn, each beside the one before for a while.
var handovers = []handover{
	{0, false, "client"}, {1, false, "client"}, {0, true, "client"}, {0, true, "idle"}, {1, true, "client"}, {0, false, "idle"}, {0, true, "client"},
}

var _ = register(func(p Params) engine.Scenario {
	var guest workloads.Pod
	return engine.Scenario{
		Name: "address of two pods",
		Doc: "An address passes on to pods of other labels, namespaces and nodes, each of which has it while the one before still does: as long as a pod is there that" +
			" a policy means, its sets hold the address; the route is that of the one which stays.",
		Labels:   []engine.Label{Identity, Policy},
		Needs:    []workloads.Feature{workloads.Routing},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "hand over", Repeat: or(p.Cycles, len(handovers)), Do: func(ctx context.Context, w *engine.World) error {
				how := []workloads.Removal{workloads.Graceful, workloads.Forced}[w.Cycle%2]
				return handOver(ctx, w, handovers[(w.Cycle-1)%len(handovers)], how)
			}},
			{Name: "hand over to one that stays", Do: func(ctx context.Context, w *engine.World) error {
				return handOver(ctx, w, handover{0, true, "client"}, workloads.Graceful)
			}},
			// Here it is the one that came last which goes, from the API alone: nothing but its object tells that the route is the other's again.
			{Name: "give back", Do: func(ctx context.Context, w *engine.World) (err error) {
				if guest, err = heir(w, onStage(w, 0, localClient)); err != nil {
					return err
				}
				guest.Labels = map[string]string{"role": "idle"}
				if err := w.Fleet.AddPods(ctx, []workloads.Pod{guest}); err != nil {
					return err
				}
				if err := w.Converge(ctx); err != nil {
					return err
				}
				return w.Fleet.RemovePods(ctx, []workloads.Key{guest.Key}, workloads.Lingering)
			}},
			{Name: "unplug", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.UnplugPods(ctx, []workloads.Key{guest.Key})
			}},
		},
	}
})

// handOver gives the address to a new pod and then removes the one that had it.
func handOver(ctx context.Context, w *engine.World, to handover, how workloads.Removal) error {
	old := tenantOf(w.Fleet.State(), onStage(w, 0, localClient).IPs[0])
	next, err := heir(w, old)
	if err != nil {
		return err
	}
	like := onStage(w, to.namespace, map[bool]int{true: localClient, false: remoteClient}[to.local])
	next.Namespace, next.Node, next.Labels = like.Namespace, like.Node, map[string]string{"role": to.role}
	if err := w.Fleet.AddPods(ctx, []workloads.Pod{next}); err != nil {
		return err
	}
	if err := w.Converge(ctx); err != nil {
		return err
	}
	return w.Fleet.RemovePods(ctx, []workloads.Key{old.Key}, how)
}
