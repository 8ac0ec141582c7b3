package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// facts is a probe of fixed facts.
type facts struct {
	name      string
	want, got Facts
}

func (f facts) Name() string                                        { return f.name }
func (f facts) Want(workloads.State) Facts                          { return f.want }
func (f facts) Got(context.Context, workloads.State) (Facts, error) { return f.got, nil }

func of(a report.Aspect, subject string) report.Fact { return report.Fact{Aspect: a, Subject: subject} }

// TestErrorTellsTheCause wants the probe that broke first to give way to the one that explains it, in the error and in the verdict.
func TestErrorTellsTheCause(t *testing.T) {
	all := []Probe{
		facts{"fine", Facts{of(report.Heard, "a"): "1"}, Facts{of(report.Heard, "a"): "1"}},
		facts{"packets", Facts{of(report.Packets, "x > y"): "connected"}, Facts{of(report.Packets, "x > y"): "dropped"}},
		facts{"routes", Facts{of(report.Routes, "10.0.0.1"): "dev"}, Facts{of(report.Routes, "10.0.0.2"): "dev"}},
		facts{"kernel", Facts{of(report.Links, "interface"): "up"}, Facts{}},
	}
	synctest.Test(t, func(t *testing.T) {
		w := &World{Fleet: workloads.NewFleet(workloads.Config{}, workloads.NewState("n"))}
		var found []report.Finding
		err := w.ExpectAll(t.Context(), all, time.Second, func(f report.Finding) { found = append(found, f) })
		if !errors.Is(err, ErrBroken) || !strings.HasPrefix(err.Error(), "kernel: interface: want up, got nothing: ") {
			t.Errorf("got %v", err)
		}
		if len(found) != 4 || found[3].Bound != time.Second || found[2].Facts != 2 || found[2].Differing != 2 {
			t.Errorf("found %+v", found)
		}
		verdict, why := judgeFindings(report.Scenario{Findings: found})
		want := `kernel: interface: want up, got nothing; before any step, after 1s, differ 1 of 1 facts of kernel, 2 of 2 facts of routes, 1 of 1 facts of packets`
		if why != want {
			t.Errorf("%v: %s", verdict, why)
		}
	})
}

// away notes whether it was told that the SUT is away.
type away struct {
	Watch
	is bool
}

func (a *away) Leave() { a.is = true }
func (a *away) Back()  { a.is = false }

// TestAway wants the watch to know that the SUT is away, and that it is back, whatever becomes of what keeps it away.
func TestAway(t *testing.T) {
	failed, watch := errors.New("no agent"), &away{}
	err := (&World{watch: watch}).Away(func() error {
		if !watch.is {
			t.Error("it is not known to be away")
		}
		return failed
	})
	if !errors.Is(err, failed) || watch.is {
		t.Errorf("error %v; it is taken to be away still: %v", err, watch.is)
	}
	if err := (&World{}).Away(func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("without a watch: %v", err)
	}
}
