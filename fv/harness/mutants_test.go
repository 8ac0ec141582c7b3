package harness

import (
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra/mutants"
)

func TestMutantsChosen(t *testing.T) {
	good := MutantOptions{Options: Options{Target: "felix"}, Stages: []string{"set"}, FuzzFor: time.Minute, Seed: 1, Lanes: 1}
	table, chosen, err := chooseMutants(good, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(chosen) != len(table.Mutants)+1 || chosen[0].Name != mutants.Control {
		t.Errorf("%d of %d mutants, %s first", len(chosen), len(table.Mutants), chosen[0].Name)
	}
	for name, change := range map[string]func(*MutantOptions){
		"a target without mutants": func(o *MutantOptions) { o.Target = "other" },
		"a binary":                 func(o *MutantOptions) { o.Binaries = map[string]string{table.Component: "/bin/true"} },
		"a release":                func(o *MutantOptions) { o.Agent.Release = "v3.30.1" },
		"a checkout":               func(o *MutantOptions) { o.Agent.Source = "/src" },
		"no lane":                  func(o *MutantOptions) { o.Lanes = 0 },
		"no seed":                  func(o *MutantOptions) { o.Seed = 0 },
		"no such stage":            func(o *MutantOptions) { o.Stages = []string{"set", "soak"} },
		"no stage":                 func(o *MutantOptions) { o.Stages = nil },
		"no time":                  func(o *MutantOptions) { o.FuzzFor = 0 },
		"no pattern":               func(o *MutantOptions) { o.Focus = "(" },
		"no mutant":                func(o *MutantOptions) { o.Focus = "no such mutant" },
	} {
		bad := good
		change(&bad)
		if _, _, err := chooseMutants(bad, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
