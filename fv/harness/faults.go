package harness

import (
	"context"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
)

// Break makes one fault in an environment of its own and returns the judged record. The label stands before what is told meanwhile of how far
// it is. The harness must be prepared.
func (h *Harness) Break(ctx context.Context, o Options, f faults.Fault, seed uint64, label string) (report.Record, error) {
	o.Settings, o.Memory = append([]workloads.Setting{workloads.NoResync}, f.Settings...), f.Memory
	command := repeatFault(o, f.Name, seed)
	_, rec, err := h.alone(ctx, o, Suite{Seed: seed}, func(s *session) { s.fault, s.label, s.command = f.Name, label, command })
	return rec, err
}
