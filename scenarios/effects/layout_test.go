package effects

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// laid expects a rule in each of four chains; a chain that the kernel has holds another one.
type laid struct{}

func (laid) Programmed(workloads.State) map[report.Fact]string {
	facts := map[report.Fact]string{}
	for _, chain := range []string{"a", "b", "c", "d"} {
		facts[ruleOf(chain, "rule")] = "1"
	}
	return facts
}

func ruleOf(chain, rule string) report.Fact {
	return report.Fact{Aspect: report.Rules, Subject: chain, Part: rule}
}

func (l laid) Observed(s workloads.State, k *kernel.State) map[report.Fact]string {
	facts := l.Programmed(s)
	for id := range k.Chains {
		delete(facts, ruleOf(id.Name, "rule"))
		facts[ruleOf(id.Name, "another")] = "1"
	}
	return facts
}

func (laid) Counted(workloads.State, *kernel.State) map[metrics.Gauge]float64 { return nil }

// says is a probe whose fact is what it says.
type says string

func (says) Name() string                      { return "says" }
func (says) Want(workloads.State) engine.Facts { return engine.Facts{{Subject: "said"}: "yes"} }
func (p says) Got(context.Context, workloads.State) (engine.Facts, error) {
	return engine.Facts{{Subject: "said"}: string(p)}, nil
}

func TestLayoutThatIsNotUnderstood(t *testing.T) {
	fitting := &Layout{}
	fitting.fits.Store(true)
	for name, c := range map[string]struct {
		layout  *Layout
		chains  string // that hold another rule
		other   says
		foreign bool
		cause   string // of what is told of the SUT
		note    string // of the rules
	}{
		"half of the chains":                {&Layout{}, "ab", "yes", true, "", "NOT APPLICABLE to this release. 4 of 6 facts differ, while all else agrees"},
		"one of four":                       {&Layout{}, "a", "yes", false, "kernel", ""},
		"half, and packets go wrong":        {&Layout{}, "ab", "no", false, "says", "4 of 6 facts differ, and others do"},
		"one of four, and packets go wrong": {&Layout{}, "a", "no", false, "kernel", ""},
		"half, of a release that is known":  {nil, "ab", "no", false, "kernel", ""},
		"half, where all has agreed before": {fitting, "ab", "no", false, "kernel", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := kernel.New()
			for _, chain := range c.chains {
				k.Chains[kernel.ID{Name: string(chain)}] = kernel.Chain{}
			}
			e := &Set{Kernel: machine{k}, Programmer: laid{}, Layout: c.layout}
			w := &engine.World{Fleet: workloads.NewFleet(workloads.Config{}, workloads.NewState("n")), SUT: gauge{}, Effects: e}
			var notes []report.Finding
			err := w.ExpectAll(t.Context(), []engine.Probe{Programmed{e.counts(w), c.layout}, c.other}, time.Millisecond, func(f report.Finding) { notes = append(notes, f) })
			if cause, _ := report.Cause(notes); c.foreign != (err == nil) || !c.foreign && !errors.Is(err, engine.ErrBroken) || c.layout.Foreign() != c.foreign || cause.Name != c.cause {
				t.Fatalf("foreign %v, error %v, because of %+v", c.layout.Foreign(), err, cause)
			}
			if rules := notes[0]; rules.Name != "kernel" || !strings.HasPrefix(rules.Note, c.note) || (rules.Differing > 0) != (c.note == "") {
				t.Errorf("told %+v", rules)
			}
			counts := slices.ContainsFunc(e.Always(w), func(p engine.Probe) bool { _, is := p.(Counts); return is })
			if counts != c.foreign {
				t.Errorf("afterwards the rules are looked at: %v", !counts)
			}
		})
	}
}

// TestRulesOfUnknownLayoutAreNoCause lets something else go wrong before the rules have agreed once in the run: that they differ explains nothing then.
func TestRulesOfUnknownLayoutAreNoCause(t *testing.T) {
	fitting := &Layout{}
	fitting.fits.Store(true)
	for name, c := range map[string]struct {
		layout *Layout
		cause  string
	}{"it is open": {&Layout{}, "says"}, "it is known": {nil, "kernel"}, "it has agreed": {fitting, "kernel"}} {
		k := kernel.New()
		for _, chain := range "abcd" {
			k.Chains[kernel.ID{Name: string(chain)}] = kernel.Chain{}
		}
		e := &Set{Kernel: machine{k}, Programmer: laid{}, Layout: c.layout}
		w := &engine.World{Fleet: workloads.NewFleet(workloads.Config{}, workloads.NewState("n")), SUT: gauge{}, Effects: e}
		var found []report.Finding
		err := w.ExpectAll(t.Context(), []engine.Probe{says("no"), Programmed{e.counts(w), c.layout}}, time.Millisecond, func(f report.Finding) { found = append(found, f) })
		if cause, _ := report.Cause(found); !errors.Is(err, engine.ErrBroken) || cause.Name != c.cause {
			t.Errorf("%s: error %v, because of %+v", name, err, cause)
		}
	}
}
