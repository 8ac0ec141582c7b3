package scenarios

import (
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "thousand pods",
		Doc:      "A thousand pods on fifty nodes come at once, twenty of them to the SUT's own.",
		Labels:   []engine.Label{Scale},
		Timeout:  brief,
		Topology: p.topology(workloads.Topology{RemoteNodes: 49, Namespaces: 20, PodsPerNamespace: 50, Local: 20}),
	}
})
