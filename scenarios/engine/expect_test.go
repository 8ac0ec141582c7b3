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
	aspect    report.Aspect
}

func (f facts) Name() string                               { return f.name }
func (f facts) Want(workloads.State) Facts                 { return f.want }
func (f facts) Got(context.Context, *World) (Facts, error) { return f.got, nil }
func (f facts) About(string) report.Topic                  { return report.Topic{Aspect: f.aspect} }

// TestErrorTellsTheCause wants the probe that broke first to give way to the one that explains it, in the error and in the verdict.
func TestErrorTellsTheCause(t *testing.T) {
	all := []Expectation{
		{Probe: facts{"fine", Facts{"a": "1"}, Facts{"a": "1"}, report.Heard}},
		{Probe: facts{"packets", Facts{"x > y": "connected"}, Facts{"x > y": "dropped"}, report.Packets}},
		{Probe: facts{"routes", Facts{"10.0.0.1": "dev"}, Facts{"10.0.0.2": "dev"}, report.Routes}},
		{Probe: facts{"kernel", Facts{"interface": "up"}, Facts{}, report.Links}},
	}
	synctest.Test(t, func(t *testing.T) {
		w := &World{Fleet: workloads.NewFleet(workloads.Config{}, workloads.NewState("n"))}
		var found []report.Finding
		err := w.check(t.Context(), all, time.Second, func(f report.Finding) { found = append(found, f) })
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

func TestFactsOfEachProbeHaveAnAspect(t *testing.T) {
	for fact, p := range map[string]Probe{
		"heard in_sync": InSync{}, "heard endpoints": Gauges{}, "routes 10.0.0.1/32": Routes{}, "packets a/b > c/d tcp/80": Connections{},
		"packets node > c/d tcp/80": NodeConnections{}, "links link cali1": Residue{}, "heard api pod a/b": Residue{}, "counts gauge rules": Programmed{one{}}, "links interface": Programmed{one{}},
		"counts gauge sets": Counts{one{}}, "tracked connections of 10.0.0.1, which pod a/b had": Forgotten{},
	} {
		aspect, rest, _ := strings.Cut(fact, " ")
		if got := topics(p)(rest); string(got.Aspect) != aspect {
			t.Errorf("%s of %s: %+v", rest, p.Name(), got)
		}
	}
	if got := aboutFlow("a/b > c/d tcp/80"); got.Subject != "a/b > c/d" {
		t.Errorf("%+v", got)
	}
}
