package scenarios

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// tenancies is where the address goes in each cycle: on the SUT's node or on another, and to a client or to one who is none.
var tenancies = []struct {
	local bool
	role  string
}{
	{true, "idle"}, {true, "client"}, {false, "idle"}, {true, "client"}, {false, "client"}, {false, "idle"}, {false, "client"}, {true, "idle"},
}

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "address reused at once",
		Doc:      "An address passes at once to a pod of another name, label and node, again and again; who has it now is let in or not by its own label.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "pass on", Repeat: or(p.Cycles, len(tenancies)), Do: func(ctx context.Context, w *engine.World) error {
				tenant := tenantOf(w.Fleet.State(), onStage(w, 0, localClient).IPs[0])
				next, err := heir(w, tenant)
				if err != nil {
					return err
				}
				t := tenancies[(w.Cycle-1)%len(tenancies)]
				next.Node = w.Fleet.State().LocalNode
				if !t.local {
					next.Node = onStage(w, 0, remoteClient).Node
				}
				next.Labels = map[string]string{"role": t.role}
				how := []workloads.Removal{workloads.Graceful, workloads.Forced}[w.Cycle/2%2]
				if err := w.Fleet.RemovePods(ctx, []workloads.Key{tenant.Key}, how); err != nil {
					return err
				}
				return w.Fleet.AddPods(ctx, []workloads.Pod{next})
			}},
		},
	}
})
