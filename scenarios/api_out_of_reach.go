package scenarios

import (
	"context"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(Params) engine.Scenario {
	return outOfReachFor("API server out of reach", 10*time.Second, time.Minute)
})
var _ = register(func(Params) engine.Scenario { return outOfReachFor("API server out of reach for long", 5*time.Minute) })

// outOfReachFor cuts the agent's way to the API server for each of these times, both ways and one way.
func outOfReachFor(name string, times ...time.Duration) engine.Scenario {
	sc := engine.Scenario{
		Name: name,
		Doc: "The agent's way to the API server is cut, both ways and one way, for as long as its connections there need to be given up, or longer." +
			" What was in force stays so, and once the way is whole again no change is missed; how long that takes is measured.",
		Labels:   []engine.Label{Network, Policy, Slow},
		Needs:    []workloads.Feature{workloads.OwnWay},
		Timeout:  30 * time.Minute,
		Topology: stage, Arrange: arrangeStage,
	}
	for _, lasts := range times {
		for _, worse := range []effects.Worse{{Loss: 1}, {Loss: 1, Only: effects.ToAPI}, {Loss: 1, Only: effects.FromAPI}} {
			if lasts > time.Minute && worse.Only != "" {
				continue // a connection that is half open is given up within a minute
			}
			sc.Steps = append(sc.Steps, engine.Step{Name: worse.String() + " for " + lasts.String(), Patience: caughtUpBound, Do: func(ctx context.Context, w *engine.World) error {
				return outOfReach(ctx, w, worse, lasts)
			}})
		}
	}
	return sc
}
