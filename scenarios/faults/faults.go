// Package faults is the table by which the tester is tested: what is broken on purpose, behind the SUT's back or in it, and how
// each must be judged.
//
// A fault is run in a small scenario of its own, the bed; whether it was caught is computed from the record. One file per family
// of faults; it knows no SUT, only settings that a target may know.
package faults

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Fault is one thing that is broken, and what must be said of it.
type Fault struct {
	Name     string              // unique; lower case words
	Needs    []workloads.Feature // of the target; none: workloads.PodNetwork
	Settings []workloads.Setting // of the agent, besides workloads.NoResync
	Memory   int64               // limit on the agent's memory in bytes; 0: none
	// Break breaks it in the middle of the bed's churn, or of its requests. It returns when it is broken, or when the SUT's end cuts it short.
	Break func(ctx context.Context, w *engine.World, s Saboteur) error
	Want  metrics.Verdict
	// Causes are those of which the verdict must tell one first; none where it is a pass.
	Causes []Cause
}

// Part is a part of the environment that can be restarted.
type Part string

// The parts.
const (
	Agent     Part = "agent"
	APIServer Part = "apiserver"
	Etcd      Part = "etcd"
)

// Impossible tells why a fault can't be made with a target that has some features; empty: it can.
func (f Fault) Impossible(has func(workloads.Feature) bool) string {
	if len(f.Needs) == 0 && !has(workloads.PodNetwork) {
		return "the target is no agent of the network of pods"
	}
	for _, need := range f.Needs {
		if !has(need) {
			return "the target has no " + string(need)
		}
	}
	return ""
}

// Saboteur does to the node what no scenario may.
type Saboteur interface {
	Backend() kernel.Backend                                      // how rules and sets are programmed
	Run(ctx context.Context, command ...string) ([]byte, error)   // a program in the node's namespaces
	Signal(syscall.Signal) error                                  // to the agent
	Restart(ctx context.Context, part Part) error                 // asked for and awaited
	Lie(ctx context.Context, g metrics.Gauge, more float64) error // the SUT's metrics, as they are read from now on, show more than they are
	Way() effects.Way                                             // the agent's to the API server; nil: it has none of its own
}

var table []Fault

// register adds faults to the table; each file calls it once, when the package is initialised.
func register(faults ...Fault) bool {
	table = append(table, faults...)
	return true
}

// All returns the table.
func All() []Fault { return table }

// Find returns the fault of that name.
func Find(name string) (Fault, error) {
	for _, f := range table {
		if f.Name == name {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("there is no fault %q", name)
}

// Caught says whether the record of the bed, judged, has the verdict that the fault must have, with the right cause told first; and what
// it tells.
func (f Fault) Caught(rec report.Record) (bool, string) {
	told := Told(rec)
	switch {
	case rec.Verdict != f.Want:
		return false, fmt.Sprintf("judged %s, want %s: %s", rec.Verdict, f.Want, told)
	case len(f.Causes) > 0 && !slices.ContainsFunc(f.Causes, func(c Cause) bool { return c.of(rec) }):
		return false, fmt.Sprintf("%v is not what is told first: %s", f.Causes, told)
	}
	return true, told
}

// Told is what a judged record of one scenario tells first: the reason of its verdict.
func Told(rec report.Record) string {
	if len(rec.Scenarios) == 0 {
		return rec.Reason
	}
	return rec.Scenarios[0].Reason
}
