package effects

import (
	"context"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Trial is what became of a new connection, beside what the policies say of it.
type Trial struct {
	Want, Got Outcome
	Why       string // the policies that decide
}

// Try makes a connection on each flow, and asks the oracle. A model that changes meanwhile is asked as it was before.
func Try(ctx context.Context, w *engine.World, flows []Flow) (map[Flow]Trial, error) {
	s := w.Fleet.State()
	x := workloads.NewIndex(s)
	got, err := Of(w).dial(ctx, flows)
	if err != nil {
		return nil, err
	}
	trials := make(map[Flow]Trial, len(flows))
	for _, f := range flows {
		d := x.Passes(endpoint(f.From, s), endpoint(f.To, s), f.Protocol, f.Port)
		trials[f] = Trial{Want: outcome(d.Allowed), Got: got[f], Why: d.Why}
	}
	return trials, nil
}
