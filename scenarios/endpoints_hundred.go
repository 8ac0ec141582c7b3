package scenarios

import (
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "hundred local endpoints",
		Doc:      "A hundred pods come to the SUT's node at once; all are counted and routed, a sample reach each other.",
		Labels:   []engine.Label{Basic},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 100, Local: -1, DualStack: true}),
	}
})
