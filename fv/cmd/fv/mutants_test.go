package main

import (
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra/mutants"
)

func TestMutantsChosen(t *testing.T) {
	good := mutantOptions{environmentOptions: environmentOptions{target: "felix"}, stages: []string{"set"}, fuzzFor: time.Minute, seed: 1, lanes: 1}
	table, chosen, err := good.choose()
	if err != nil {
		t.Fatal(err)
	}
	if len(chosen) != len(table.Mutants)+1 || chosen[0].Name != mutants.Control {
		t.Errorf("%d of %d mutants, %s first", len(chosen), len(table.Mutants), chosen[0].Name)
	}
	for name, change := range map[string]func(*mutantOptions){
		"a target without mutants": func(o *mutantOptions) { o.target = "other" },
		"a binary":                 func(o *mutantOptions) { o.binaries = map[string]string{table.Component: "/bin/true"} },
		"a release":                func(o *mutantOptions) { o.agent.Release = "v3.30.1" },
		"a checkout":               func(o *mutantOptions) { o.agent.Source = "/src" },
		"no lane":                  func(o *mutantOptions) { o.lanes = 0 },
		"no seed":                  func(o *mutantOptions) { o.seed = 0 },
		"no such stage":            func(o *mutantOptions) { o.stages = []string{"set", "soak"} },
		"no stage":                 func(o *mutantOptions) { o.stages = nil },
		"no time":                  func(o *mutantOptions) { o.fuzzFor = 0 },
		"no pattern":               func(o *mutantOptions) { o.focus = "(" },
		"no mutant":                func(o *mutantOptions) { o.focus = "no such mutant" },
	} {
		bad := good
		change(&bad)
		if _, _, err := bad.choose(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
