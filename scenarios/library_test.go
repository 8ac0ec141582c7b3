package scenarios

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/workloads"

	"github.com/nodefv/nodefv/scenarios/engine"
)

func TestEveryScenarioIsWellFormed(t *testing.T) {
	all, err := All(Params{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Possible(all); err != nil {
		t.Error(err)
	}
	labels := map[engine.Label]int{}
	for _, sc := range all {
		if sc.Name == "" || sc.Doc == "" || len(sc.Labels) == 0 || sc.Timeout <= 0 {
			t.Errorf("scenario %+v lacks something", sc)
		}
		for _, l := range sc.Labels {
			labels[l]++
		}
	}
	if len(all) < 36 || labels[Calc] < 13 || labels[Identity] < 10 || labels[Scale] < 4 || labels[Leak] < 1 {
		t.Errorf("%d scenarios, by label: %v", len(all), labels)
	}
}

// TestScenariosAreDocumented wants docs/scenarios.md to have one row for each scenario, and no other.
func TestScenariosAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(line, "| ") {
			documented[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	delete(documented, "scenario")
	all, err := All(Params{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range all {
		if got, want := documented[sc.Name], strings.Join(sc.LabelNames(), ", "); got != want {
			t.Errorf("%s: labels are documented as %q, they are %q", sc.Name, got, want)
		}
		delete(documented, sc.Name)
	}
	for name := range documented {
		t.Errorf("%q is documented and no scenario", name)
	}
}

// TestArrangementsKeepThePlan wants arrangements to change neither the pods' number nor their nodes and addresses.
func TestArrangementsKeepThePlan(t *testing.T) {
	all, err := All(Params{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range all {
		if sc.Arrange == nil {
			continue
		}
		plan, err := workloads.NewPlan(1, sc.Topology, "local")
		if err != nil {
			t.Fatal(err)
		}
		planned, arranged := plan.State(), plan.State()
		sc.Arrange(&arranged)
		for k, p := range planned.Pods().All() {
			if a := arranged.Pods().Get(k); a.Node != p.Node || !slices.Equal(a.IPs, p.IPs) || arranged.Pods().Len() != planned.Pods().Len() {
				t.Errorf("%s: %s was %+v and is %+v", sc.Name, k, p, a)
			}
		}
	}
}

// TestStage wants the plan to place the stage's pods as its comment says.
func TestStage(t *testing.T) {
	plan, err := workloads.NewPlan(1, stage, "local")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	arrangeStage(&s)
	for _, ns := range s.Namespaces().List() {
		for i, p := range podsOf(s, ns.Name) {
			if p.Labels["role"] != []string{"client", "server", "client"}[i] || (p.Node == "local") != (i > 0) {
				t.Errorf("pod %d of %s is %+v", i, ns.Name, p)
			}
		}
	}
}

func TestImpossibleParametersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]string
		says   string
	}{
		"no nodes":        {map[string]string{"nodes": "0"}, "at least 1"},
		"negative rate":   {map[string]string{"rate": "-1"}, "negative"},
		"endless rate":    {map[string]string{"rate": "Inf"}, "finite"},
		"no rate":         {map[string]string{"rate": "NaN"}, "finite"},
		"not a number":    {map[string]string{"pods": "many"}, "whole number"},
		"unknown":         {map[string]string{"colour": "red"}, "unknown parameter"},
		"too many pods":   {map[string]string{"namespaces": "100000", "pods": "1000"}, "addresses for"},
		"more than there": {map[string]string{"pods": "1", "namespaces": "1", "local": "2"}, "local pods"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParseParams(c.values)
			if err == nil {
				var all []engine.Scenario
				if all, err = All(p); err == nil {
					err = Possible(all)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestTwoOfOneNameAreRefused(t *testing.T) {
	before := library
	t.Cleanup(func() { library = before })
	library = append(slices.Clone(before), before[0])
	if _, err := All(Params{}); err == nil || !strings.Contains(err.Error(), "two scenarios are named") {
		t.Errorf("got %v", err)
	}
}
