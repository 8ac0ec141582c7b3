package steer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Longest is how long a session goes on at most.
const Longest = 24 * time.Hour

// grace is how much longer than its orders a scenario may take: to deploy, and to check.
const grace = 5 * time.Minute

// Stage is the cluster that a session is about.
type Stage struct {
	Nodes      int  `json:"nodes"` // the local one included
	Namespaces int  `json:"namespaces"`
	Pods       int  `json:"pods"`  // in each namespace
	Local      int  `json:"local"` // of all pods, on the local node; -1: all
	DualStack  bool `json:"dualStack,omitempty"`
}

// MostPods is how many pods a stage has at most: each one is on the page.
const MostPods = 500

// Check says why there can be no such cluster.
func (s Stage) Check() error {
	if _, err := workloads.NewPlan(0, s.Topology(), "local"); err != nil {
		return err
	}
	if n := s.Namespaces * s.Pods; n < 2 || n > MostPods {
		return fmt.Errorf("%d pods: there must be two at least and %d at most", n, MostPods)
	}
	return nil
}

// Topology is the stage as scenarios say it.
func (s Stage) Topology() workloads.Topology {
	local := s.Local
	if s.Nodes == 1 {
		local = -1
	}
	return workloads.Topology{RemoteNodes: s.Nodes - 1, Namespaces: s.Namespaces, PodsPerNamespace: s.Pods, Local: local, DualStack: s.DualStack}
}

// Live is the scenario that makes a stage and hands it to steer, until that returns. All that goes on then is ended, and all must be as it was.
func Live(stage Stage, steer func(context.Context, *engine.World) error) engine.Scenario {
	return engine.Scenario{
		Name: "steered", Doc: "A user steers a cluster.", Labels: []engine.Label{"slow"}, Timeout: Longest + grace,
		Topology: stage.Topology(), Arrange: Arrange, Steps: []engine.Step{{Name: "steer", Do: steer}},
	}
}

// Replay is the scenario that carries orders out, each when it is due, and ends after a time. Traffic must keep its budget, and each impairment
// must have been in force: else nothing is known.
func Replay(name string, stage Stage, lasts time.Duration, orders []Order) engine.Scenario {
	return engine.Scenario{
		Name: name, Doc: "What was done by hand in `fv ui` is done again.", Labels: []engine.Label{"traffic"}, Timeout: lasts + grace,
		Topology: stage.Topology(), Arrange: Arrange, Needs: needs(orders),
		Steps: []engine.Step{{Name: "replay", Do: func(ctx context.Context, w *engine.World) error {
			return replay(ctx, w, lasts, orders)
		}}},
	}
}

func needs(orders []Order) []workloads.Feature {
	for _, o := range orders {
		if o.Agent != nil {
			return []workloads.Feature{workloads.Restarts}
		}
	}
	return nil
}

func replay(ctx context.Context, w *engine.World, lasts time.Duration, orders []Order) (err error) {
	if err := w.Converge(ctx); err != nil {
		return err
	}
	s := Open(ctx, w, func(Entry) {})
	defer func() { err = errors.Join(err, s.Close()) }()
	for i, o := range orders {
		if err := s.await(ctx, o.After); err != nil {
			return err
		}
		if o.Mend != "" {
			s.prove(o.Mend)
		}
		if err := s.Carry(ctx, o); err != nil {
			return fmt.Errorf("order %d, %s: %w", i+1, o, err)
		}
	}
	if err := s.await(ctx, lasts); err != nil {
		return err
	}
	s.prove(Everything)
	return nil
}

// await waits until a time after the beginning.
func (s *Session) await(ctx context.Context, after time.Duration) error {
	pause(ctx, time.Until(s.began.Add(after)))
	return context.Cause(ctx)
}

// prove records what impairments of that name did. Those that were not what was asked make the scenario inconclusive.
func (s *Session) prove(name string) {
	for _, i := range s.Look().Impairments {
		if name != Everything && i.Name != name {
			continue
		}
		f := report.Finding{Kind: report.Impairment, Name: "impairment " + i.Name}
		for _, p := range i.Ways {
			f.Impaired = append(f.Impaired, report.Impaired{What: i.Words, Packets: p.Packets, Lost: p.Lost, Claims: p.Claims})
		}
		s.world.Note(f)
	}
}
