package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Run runs one scenario, judges what it left in the journal and tells how it ended. The driver must be open. Once it was interrupted, every
// scenario is skipped and leaves nothing.
func (d *Driver) Run(ctx context.Context, sc engine.Scenario) (metrics.Verdict, string) {
	if why := context.Cause(d.running); why != nil {
		return metrics.Skip, why.Error()
	}
	begun, number := time.Now(), d.next()
	verdict, why := d.judged(ctx, sc)
	infra.Told{Scenario: sc.Name, Verdict: verdict, Took: time.Since(begun), Number: number, Of: d.total}.Tell(d.out)
	return verdict, why
}

func (d *Driver) judged(ctx context.Context, sc engine.Scenario) (metrics.Verdict, string) {
	ctx, release := d.interruptible(ctx)
	defer release()
	if why := cmp.Or(skipped(sc, d, d.handoff), tooMany(sc, d.target, d.handoff)); why != "" {
		begun := sc.Begin(time.Now())
		begun.Skipped = why
		d.write(report.Entry{Scenario: sc.Name, Begin: begun})
		return metrics.Skip, why
	}
	if err := d.scenario(ctx, sc); err != nil {
		fmt.Fprintln(d.out, sc.Name+":", err)
	}
	rec, err := report.Load(d.handoff.Out)
	if err != nil {
		return metrics.Inconclusive, err.Error()
	}
	judged := engine.Judge(rec).Scenarios
	for i := len(judged) - 1; i >= 0; i-- {
		if judged[i].Name == sc.Name {
			return judged[i].Verdict, judged[i].Reason
		}
	}
	return metrics.Inconclusive, "the scenario left nothing in the record"
}

func (d *Driver) scenario(ctx context.Context, sc engine.Scenario) (failed error) {
	alive, err := d.take(ctx)
	if err != nil && ctx.Err() == nil {
		now := time.Now()
		d.write(report.Entry{Scenario: sc.Name, Begin: sc.Begin(now)})
		d.write(report.Entry{Scenario: sc.Name, Finding: &report.Finding{At: now, Kind: report.Life, Name: "life of the SUT", Error: err.Error()}})
	}
	if err != nil {
		return err
	}
	guarded, release := alive.guard(ctx, func(ctx context.Context) (*life, bool, error) {
		if !d.restarting.Load() && !d.survived() {
			return nil, false, nil
		}
		d.awaitBack(ctx)
		next, err := d.take(ctx)
		return next, true, err
	})
	defer release()
	if err := d.gather(guarded, sc.Instances); err != nil {
		now := time.Now()
		d.write(report.Entry{Scenario: sc.Name, Begin: sc.Begin(now)})
		d.write(report.Entry{Scenario: sc.Name, Finding: &report.Finding{At: now, Kind: report.Harness, Name: "instances of the SUT", Error: err.Error()}})
		return errors.Join(err, d.dismiss(ctx))
	}
	defer func() { failed = errors.Join(failed, d.dismiss(ctx)) }()
	world, err := d.World(sc)
	if err != nil {
		return err
	}
	runner := engine.Runner{
		World: world, Write: d.write,
		SetPhase: func(p metrics.Phase) { d.sampler.SetPhase(p) },
		Held:     func(ctx context.Context) { d.sampler.Sample(ctx, false) },
		Settled:  func(ctx context.Context) { d.sampler.Sample(ctx, true) },
		Diagnose: func(ctx context.Context, name, why string) {
			dir := filepath.Join(d.handoff.Out, "diagnostics", name)
			if err := errors.Join(d.diagnose(ctx, dir), d.writeMatrix(ctx, world, sc.Name, dir)); err != nil {
				fmt.Fprintln(d.out, "diagnostics are incomplete:", err)
			}
		},
	}
	if err = runner.Run(guarded, sc); err != nil && d.handoff.Obeyed && guarded.Err() == nil {
		err = errors.Join(err, d.renew(guarded, world))
	}
	return err
}

// renewPatience is how long an agent has to agree that there is nothing any more, once a scenario has failed.
const renewPatience = 5 * time.Second

// renew restarts an agent that still holds what a failed scenario left in it, or can't be read: else each scenario after it would fail for the
// same cause.
func (d *Driver) renew(ctx context.Context, w *engine.World) error {
	err := w.Check(ctx, renewPatience, func(report.Finding) {})
	if err == nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintln(d.out, "the agent does not agree that all is gone:", err)
	infra.Told{Remark: "the agent does not agree that all is gone: it is restarted"}.Tell(d.out)
	return d.restart(ctx, infra.RoleAgent)
}

// skipped reports which of a scenario's needs is not met: a feature of the target, or a harness that stops and starts it, also in another
// release.
func skipped(sc engine.Scenario, sut engine.SUT, h infra.Handoff) string {
	if !routes(sc) && !sut.HasFeature(workloads.PodNetwork) {
		return "the target routes requests and is no agent of the network of pods"
	}
	for _, need := range sc.Needs {
		switch need {
		case workloads.Restarts:
			if !h.Obeyed {
				return "nobody stops and starts the agent for a driver that was not started by the harness"
			}
		case workloads.Upgrades:
			if len(h.Releases) < 2 {
				return "there is no other release of this agent that could be built and started in its place"
			}
		default:
			if !sut.HasFeature(need) {
				return "the target has no " + string(need)
			}
		}
	}
	return ""
}

// routes reports whether a scenario is about requests that are routed.
func routes(sc engine.Scenario) bool {
	return slices.ContainsFunc(sc.Needs, func(f workloads.Feature) bool {
		return slices.Contains([]workloads.Feature{workloads.RequestRouting, workloads.HTTPRouting, workloads.HTTPProxies, workloads.GatewayRoutes, workloads.ProxiedRequests}, f)
	})
}
