package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra/mutants"
	"github.com/nodefv/nodefv/infra/targets"
)

// mutantOptions are what `fv mutants` is told.
type mutantOptions struct {
	environmentOptions
	focus   string
	stages  []string
	fuzzFor time.Duration
	seed    uint64
	resume  string
	lanes   int
}

func mutantsCommand() *cobra.Command {
	var o mutantOptions
	c := &cobra.Command{
		Use: "mutants", Short: "Put small bugs into the SUT's source and see which of them are found, and how soon", Args: cobra.NoArgs,
		Long: `mutants measures what the suite finds: it builds the SUT once with all the bugs of its table in it, each behind a guard, and runs each
bug in turn until something fails: the default set, then the fuzzer, then the leak test, each in an environment of its own. The SUT's periodic
resyncs are off, so that they do not mend what was wrong. The row "control" has no bug: it must pass.

Each row is written down as it comes, in a folder below --out; --resume goes on with one. The score is a report and no verdict. Exit codes: 0
the table is whole; 2 wrong usage; 3 a mutant has no verdict, or the control did not pass.`,
		Example: `  fv mutants --focus '^(control|port-range-one-too-long)$' --stages set
  fv mutants --dataplane nftables --fuzz-for 10m
  fv mutants --resume out/mutants-20260102-030405-abc`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.goOn(c.Flags().Changed); err != nil {
				return usage(err)
			}
			return measureMutants(c.Context(), o, c.OutOrStdout())
		},
	}
	o.flags(c.Flags())
	c.Flags().StringVar(&o.focus, "focus", "", "run only the mutants whose name matches this regular expression; the control is one")
	c.Flags().StringSliceVar(&o.stages, "stages", []string{"set", "fuzz", "leak"}, "what may catch a mutant: some of set, fuzz, leak")
	c.Flags().DurationVar(&o.fuzzFor, "fuzz-for", 5*time.Minute, "how long the stage fuzz lasts")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of everything that is drawn")
	c.Flags().IntVar(&o.lanes, "lanes", 1, "how many mutants are run at once, each in environments of its own; two suit a machine of two processors")
	c.Flags().StringVar(&o.resume, "resume", "", "go on with the table in this folder, with its flags: only what has no verdict yet is run; --stages may name more of them")
	return c
}

// goOn takes the flags of the table that is gone on with. Which were given, is told by their names.
func (o *mutantOptions) goOn(given func(string) bool) error {
	if o.resume == "" {
		return nil
	}
	head, _, err := mutants.Load(o.resume)
	if err != nil {
		return fmt.Errorf("--resume: there is no table in %s: %w", o.resume, err)
	}
	for _, flag := range []string{"target", "dataplane", "runtime", "seed", "fuzz-for"} {
		if given(flag) {
			return fmt.Errorf("--resume goes on with the table's own --%s: leave it out", flag)
		}
	}
	if o.extras != nil {
		return fmt.Errorf("--resume goes on with what the table ran besides the agent: leave --%s out", strings.Join(o.extras, ", --"))
	}
	o.target, o.dataplane, o.extras, o.runtime, o.seed, o.fuzzFor = head.Target, head.DataPlane, head.Extras, head.Runtime, head.Seed, head.FuzzFor
	if !given("stages") {
		o.stages = nil
		for _, s := range head.Stages {
			o.stages = append(o.stages, string(s))
		}
	}
	return nil
}

// choose checks the options and returns the target's table and the mutants to be run, the control before all others.
func (o mutantOptions) choose() (mutants.Table, []mutants.Mutant, error) {
	info, err := targets.Find(o.target)
	if err != nil {
		return mutants.Table{}, nil, err
	}
	if info.Mutants == nil {
		return mutants.Table{}, nil, fmt.Errorf("there are no mutants of %s", o.target)
	}
	table := *info.Mutants
	if o.binaries[table.Component] != "" {
		return table, nil, fmt.Errorf("--%s: mutants are built from source", binaryFlag(table.Component))
	}
	if _, image := overriddenImages()[table.Component]; image || o.agent != (agentOptions{}) {
		return table, nil, errors.New("mutants are made of the pinned release: leave out what chooses another")
	}
	if o.seed == 0 {
		return table, nil, errors.New("--seed must be positive")
	}
	if o.lanes < 1 {
		return table, nil, errors.New("--lanes must be at least 1")
	}
	if o.fuzzFor <= 0 {
		return table, nil, errors.New("--fuzz-for must be positive")
	}
	for _, s := range o.stages {
		if !slices.Contains(mutants.Stages, mutants.Stage(s)) {
			return table, nil, fmt.Errorf("--stages: there is no stage %q", s)
		}
	}
	if len(o.stages) == 0 {
		return table, nil, errors.New("--stages: name one at least")
	}
	re, err := regexp.Compile(o.focus)
	if err != nil {
		return table, nil, fmt.Errorf("--focus %q: %w", o.focus, err)
	}
	var chosen []mutants.Mutant
	for _, m := range append([]mutants.Mutant{{Name: mutants.Control}}, table.Mutants...) {
		if re.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return table, nil, fmt.Errorf("--focus %q matches no mutant", o.focus)
	}
	return table, chosen, table.Check()
}
