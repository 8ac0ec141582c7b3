package harness

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/mutants"
	"github.com/nodefv/nodefv/infra/targets"
)

// MutantOptions say which mutants are put through what.
type MutantOptions struct {
	Options
	Focus   string // a regular expression that their names match
	Stages  []string
	FuzzFor time.Duration
	Seed    uint64
	Resume  string // the folder of the table that is gone on with; empty: a new one
	Lanes   int    // how many are run at once
}

// Check refuses options that can't be. Images are the user's own, by component. That the options are wrong is a usage error.
func (o MutantOptions) Check(images map[string]string) error {
	if err := o.Options.Check(images); err != nil {
		return err
	}
	_, _, err := chooseMutants(o, images)
	return usage(err)
}

// chooseMutants checks the options and returns the target's table and the mutants to be run, the control before all others.
func chooseMutants(o MutantOptions, images map[string]string) (mutants.Table, []mutants.Mutant, error) {
	info, err := targets.Find(o.Target)
	if err != nil {
		return mutants.Table{}, nil, err
	}
	if info.Mutants == nil {
		return mutants.Table{}, nil, fmt.Errorf("there are no mutants of %s", o.Target)
	}
	table := *info.Mutants
	if o.Binaries[table.Component] != "" {
		return table, nil, fmt.Errorf("--%s: mutants are built from source", BinaryFlag(table.Component))
	}
	if _, image := images[table.Component]; image || o.Agent != (infra.Choice{}) {
		return table, nil, errors.New("mutants are made of the pinned release: leave out what chooses another")
	}
	if o.Seed == 0 {
		return table, nil, errors.New("--seed must be positive")
	}
	if o.Lanes < 1 {
		return table, nil, errors.New("--lanes must be at least 1")
	}
	if o.FuzzFor <= 0 {
		return table, nil, errors.New("--fuzz-for must be positive")
	}
	for _, s := range o.Stages {
		if !slices.Contains(mutants.Stages, mutants.Stage(s)) {
			return table, nil, fmt.Errorf("--stages: there is no stage %q; there are %v", s, mutants.Stages)
		}
	}
	if len(o.Stages) == 0 {
		return table, nil, errors.New("--stages: name one at least")
	}
	re, err := regexp.Compile(o.Focus)
	if err != nil {
		return table, nil, fmt.Errorf("--focus %q is no regular expression: %w", o.Focus, err)
	}
	var chosen []mutants.Mutant
	for _, m := range append([]mutants.Mutant{{Name: mutants.Control}}, table.Mutants...) {
		if re.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return table, nil, fmt.Errorf("--focus %q matches no mutant", o.Focus)
	}
	return table, chosen, table.Check()
}
