package scenarios

import (
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "10,000 endpoints",
		Doc:      "10,000 pods in 1,000 namespaces on ten nodes, a hundred of them on the SUT's own.",
		Labels:   []engine.Label{Scale},
		Timeout:  15 * time.Minute,
		Topology: p.topology(workloads.Topology{RemoteNodes: 9, Namespaces: 1000, PodsPerNamespace: 10, Local: 100}),
	}
})
