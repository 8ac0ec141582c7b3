package effects

import (
	"context"
	"fmt"
	"maps"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Programmer knows what the SUT must have put into the kernel, and what what is there means. Its methods compute; they read
// nothing.
type Programmer interface {
	Programmed(s workloads.State) map[report.Fact]string                  // what must be there, from the model alone
	Observed(s workloads.State, k *kernel.State) map[report.Fact]string   // what is there, in the same words
	Counted(s workloads.State, k *kernel.State) map[metrics.Gauge]float64 // what the SUT's gauges of both should show
}

// Programmed wants the kernel to hold exactly what the target says it must: interfaces, dispatch, chains, rules, the members of
// sets, nothing of what is gone; and the SUT's own gauges to agree with the kernel and the model.
type Programmed struct {
	Counts
	Layout *Layout // nil: it fits
}

// Name returns the probe's name.
func (Programmed) Name() string { return "kernel" }

// agrees is what is wanted of every gauge.
const agrees = "agrees"

// Want asks the target.
func (p Programmed) Want(s workloads.State) engine.Facts {
	facts := engine.Facts(p.Programmer.Programmed(s))
	maps.Copy(facts, p.Counts.Want(s))
	return facts
}

// Got reads the kernel and the SUT.
func (p Programmed) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	k, err := p.Kernel(ctx)
	if err != nil {
		return nil, err
	}
	facts, err := p.compare(ctx, s, k)
	if err != nil {
		return nil, err
	}
	maps.Copy(facts, p.Programmer.Observed(s, k))
	return facts, nil
}

// Counts wants the SUT's gauges of what it has programmed to agree with the kernel: the part of Programmed that knows no layout of rules.
type Counts struct {
	Programmer Programmer
	Kernel     func(context.Context) (*kernel.State, error) // reads it
	SUT        engine.SUT
}

// Name returns the probe's name.
func (Counts) Name() string { return "kernel gauges" }

// Want wants every gauge to agree.
func (p Counts) Want(s workloads.State) engine.Facts {
	facts := engine.Facts{}
	for g := range p.Programmer.Counted(s, kernel.New()) {
		facts[gaugeFact(g)] = agrees
	}
	return facts
}

// Got reads the kernel and the SUT.
func (p Counts) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	k, err := p.Kernel(ctx)
	if err != nil {
		return nil, err
	}
	return p.compare(ctx, s, k)
}

func (p Counts) compare(ctx context.Context, s workloads.State, k *kernel.State) (engine.Facts, error) {
	says, err := p.SUT.Gauges(ctx)
	if err != nil {
		return nil, err
	}
	facts := engine.Facts{}
	for g, is := range p.Programmer.Counted(s, k) {
		switch said, ok := says[g]; {
		case !ok:
			facts[gaugeFact(g)] = "missing"
		case said == is:
			facts[gaugeFact(g)] = agrees
		default:
			facts[gaugeFact(g)] = fmt.Sprintf("says %v, there are %v", said, is)
		}
	}
	return facts, nil
}

func gaugeFact(g metrics.Gauge) report.Fact {
	return report.Fact{Aspect: report.Counts, Kind: report.Gauge, Subject: "gauge " + string(g)}
}
