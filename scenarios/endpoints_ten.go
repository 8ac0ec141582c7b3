package scenarios

import (
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "ten local endpoints",
		Doc:      "Ten pods on the SUT's node are counted, routed and reach each other.",
		Labels:   []engine.Label{Basic},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 10, Local: -1, DualStack: true}),
	}
})
