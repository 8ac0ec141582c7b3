package scenarios

import (
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/workloads"
)

// keptBytes is what may be kept for each endpoint that goes and comes back, at most: a run must be able to see more.
const keptBytes = 26

var _ = register(func(p Params) engine.Scenario {
	sc, err := leak.Order{Churn: "everything", Identities: leak.Same, Cycles: or(p.Cycles, 20), See: keptBytes}.Scenario()
	if err != nil {
		panic(err) // at registration: the order is ours
	}
	sc.Name = "no leak"
	sc.Doc = "10,000 endpoints go and come back, cycle after cycle; what the SUT holds must not grow from one cycle to the next."
	sc.Labels, sc.Timeout = []engine.Label{Leak, Churn, Slow}, 2*time.Hour
	sc.Topology = p.topology(workloads.Topology{RemoteNodes: 9, Namespaces: 1000, PodsPerNamespace: 10, Local: 100})
	return sc
})
