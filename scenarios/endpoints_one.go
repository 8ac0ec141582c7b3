package scenarios

import (
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "one local endpoint",
		Doc:      "One pod on the SUT's node is counted and routed, and is gone without a trace.",
		Labels:   []engine.Label{Basic},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{Namespaces: 1, PodsPerNamespace: 1, Local: -1, DualStack: true}),
	}
})
