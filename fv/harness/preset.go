package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sweep"
)

// checkPreset refuses a preset that can't be: its plans are tried for a machine of any kind.
func (o *SweepOptions) checkPreset(images map[string]string) error {
	plans, err := sweep.PlansOf(o.Preset, 1000, o.Plan)
	if err != nil {
		return usage(err)
	}
	for _, p := range o.possible(plans) {
		one := *o
		one.Preset, one.Plan = "", p
		if err := one.Check(images); err != nil {
			return err
		}
	}
	return nil
}

// possible are the plans of a preset without those that need several instances of a SUT that can't run in so many.
func (o *SweepOptions) possible(plans []sweep.Plan) []sweep.Plan {
	t, err := targets.New(o.Target, targets.Options{DataPlane: o.DataPlane, Extras: o.Extras})
	if err == nil {
		_, err = infra.InstanceOf(t, infra.MostInstances)
	}
	if err == nil {
		return plans
	}
	return slices.DeleteFunc(plans, func(p sweep.Plan) bool {
		return slices.ContainsFunc(p.Axes, func(a sweep.Axis) bool { return a.Name == sweep.InstancesAxis })
	})
}

// preset measures what the machine can do, plans the preset's sweeps by that, and makes them one after the other. Those that the time does not suffice
// for are begun all the same, so that each can be gone on with.
func (h *Harness) preset(ctx context.Context, o SweepOptions) (metrics.Verdict, error) {
	name, wanted := o.Preset, o.Plan
	o.Preset = ""
	o.Plan = sweep.Plan{Scenario: sweep.CapacityScenario, Axes: []sweep.Axis{{Name: "payload", Values: []string{"600"}}}, Rounds: 1, Seed: wanted.Seed}
	measured, verdict, err := h.sweep(ctx, o)
	if err != nil {
		return verdict, err
	}
	capacity, err := capacityIn(measured.Results)
	if err != nil {
		return metrics.Inconclusive, err
	}
	plans, err := sweep.PlansOf(name, capacity, wanted)
	if err != nil {
		return metrics.Inconclusive, usage(err)
	}
	plans = o.possible(plans)
	fmt.Fprintf(h.cfg.Progress, "a bare proxy does %.0f requests/s here with a punctual client: preset %s, %d sweeps\n", capacity, name, len(plans))
	o.until = measured.until
	verdicts := []metrics.Verdict{verdict}
	for _, p := range plans {
		o.Plan = p
		_, verdict, err := h.sweep(ctx, o)
		if err != nil {
			return verdict, err
		}
		verdicts = append(verdicts, verdict)
	}
	return metrics.Worst(verdicts...), nil
}

// capacityIn is the rate that the only cell of a sweep has found.
func capacityIn(results []sweep.Result) (float64, error) {
	for _, r := range results {
		i := slices.IndexFunc(r.Quantities, func(q report.Quantity) bool { return q.Name == sweep.CapacityQuantity })
		if i >= 0 && r.Quantities[i].Value > 0 {
			return r.Quantities[i].Value, nil
		}
		if r.Reason != "" {
			return 0, fmt.Errorf("what the machine can do is not known: %s: %s", r.Verdict, r.Reason)
		}
	}
	return 0, errors.New("what the machine can do is not known: nothing was measured")
}
