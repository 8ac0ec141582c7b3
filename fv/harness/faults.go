package harness

import (
	"context"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
)

// Break makes one fault in an environment of its own and returns the judged record. The label stands before what is told meanwhile of how far
// it is. The harness must be prepared.
func (h *Harness) Break(ctx context.Context, o Options, f faults.Fault, seed uint64, label string) (report.Record, error) {
	o.Settings, o.Memory = settingsOf(f), f.Memory
	command := repeatFault(o, f.Name, seed)
	_, rec, err := h.alone(ctx, o, Suite{Seed: seed}, func(s *session) { s.fault, s.label, s.command = f.Name, label, command })
	return rec, err
}

// Impossible tells why a fault can't be made with a target; empty: it can.
func Impossible(o Options, f faults.Fault) (string, error) {
	target, err := targets.New(o.Target, targets.Options{DataPlane: o.DataPlane})
	if err != nil {
		return "", usage(err)
	}
	if why := f.Impossible(func(need workloads.Feature) bool { return targets.Has(target, need) }); why != "" {
		return why, nil
	}
	if _, err := targets.New(o.Target, targets.Options{DataPlane: o.DataPlane, Settings: settingsOf(f)}); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// settingsOf are those that the agent is started with.
func settingsOf(f faults.Fault) []workloads.Setting {
	return append([]workloads.Setting{workloads.NoResync}, f.Settings...)
}
