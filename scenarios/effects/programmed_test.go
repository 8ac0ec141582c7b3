package effects

import (
	"context"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// one expects one interface, and one rule for its gauge.
type one struct{}

func (one) Programmed(workloads.State) map[report.Fact]string {
	return map[report.Fact]string{{Aspect: report.Links, Subject: "interface"}: "up"}
}

func (one) Observed(_ workloads.State, k *kernel.State) map[report.Fact]string {
	facts := map[report.Fact]string{}
	for name := range k.Interfaces {
		facts[report.Fact{Aspect: report.Links, Subject: name}] = "up"
	}
	return facts
}

func (one) Counted(_ workloads.State, k *kernel.State) map[metrics.Gauge]float64 {
	return map[metrics.Gauge]float64{metrics.Rules: float64(len(k.Chains))}
}

type machine struct{ k *kernel.State }

func (machine) Routes() (map[string]string, error) { return nil, nil }
func (machine) Links() ([]string, error)           { return nil, nil }

func (m machine) Programmed(context.Context) (*kernel.State, error) { return m.k, nil }

type gauge metrics.Snapshot

func (g gauge) Gauges(context.Context) (metrics.Snapshot, error) { return metrics.Snapshot(g), nil }
func (gauge) Quiesce(context.Context) error                      { return nil }
func (gauge) Shows(metrics.Gauge) bool                           { return true }
func (gauge) HasFeature(workloads.Feature) bool                  { return false }

func TestProgrammed(t *testing.T) {
	right := kernel.New()
	right.Interfaces["interface"] = kernel.Interface{}
	right.Chains[kernel.ID{Name: "c"}] = kernel.Chain{}
	for name, c := range map[string]struct {
		k    *kernel.State
		says gauge
		want string
	}{
		"all agree":           {right, gauge{metrics.Rules: 1}, ""},
		"the kernel is empty": {kernel.New(), gauge{metrics.Rules: 0}, "interface: up, "},
		"the gauge lies":      {right, gauge{metrics.Rules: 7}, "gauge rules: agrees, says 7, there are 1"},
		"the gauge is gone":   {right, gauge{}, "gauge rules: agrees, missing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := workloads.NewState("n")
			p := Programmed{Counts{one{}, machine{c.k}.Programmed, c.says}, nil}
			got, err := p.Got(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			var f report.Finding
			engine.Compare(&f, p.Want(s), got)
			for _, d := range f.Differences {
				said += d.Fact + ": " + d.Want + ", " + d.Got
			}
			if said != c.want {
				t.Errorf("got %q, want %q", said, c.want)
			}
		})
	}
}

func TestEffectsWithoutProgrammer(t *testing.T) {
	w := &engine.World{SUT: gauge{}}
	with, without := (&Set{Kernel: machine{}, Programmer: one{}}).Always(w), (&Set{Kernel: machine{}}).Always(w)
	if len(with) != len(without)+1 {
		t.Errorf("%d effects with, %d without a target that knows what it programs", len(with), len(without))
	}
}
