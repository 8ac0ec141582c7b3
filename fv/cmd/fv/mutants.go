package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra/mutants"
)

func mutantsCommand() *cobra.Command {
	var o harness.MutantOptions
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
			if err := goOn(&o, c.Flags().Changed); err != nil {
				return usage(err)
			}
			if err := o.Check(givenImages()); err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			return h.Mutants(c.Context(), o)
		},
	}
	environmentFlags(c.Flags(), &o.Options)
	c.Flags().StringVar(&o.Focus, "focus", "", "run only the mutants whose name matches this regular expression; the control is one")
	c.Flags().StringSliceVar(&o.Stages, "stages", []string{"set", "fuzz", "leak"}, "what may catch a mutant: some of set, fuzz, leak")
	c.Flags().DurationVar(&o.FuzzFor, "fuzz-for", 5*time.Minute, "how long the stage fuzz lasts")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of everything that is drawn")
	c.Flags().IntVar(&o.Lanes, "lanes", 1, "how many mutants are run at once, each in environments of its own; two suit a machine of two processors")
	c.Flags().StringVar(&o.Resume, "resume", "", "go on with the table in this folder, with its flags: only what has no verdict yet is run; --stages may name more of them")
	return c
}

// goOn takes the flags of the table that is gone on with. Which were given, is told by their names.
func goOn(o *harness.MutantOptions, given func(string) bool) error {
	if o.Resume == "" {
		return nil
	}
	head, _, err := mutants.Load(o.Resume)
	if err != nil {
		return fmt.Errorf("--resume: there is no table in %s: %w", o.Resume, err)
	}
	for _, flag := range []string{"target", "dataplane", "runtime", "seed", "fuzz-for"} {
		if given(flag) {
			return fmt.Errorf("--resume goes on with the table's own --%s: leave it out", flag)
		}
	}
	if o.Extras != nil {
		return fmt.Errorf("--resume goes on with what the table ran besides the agent: leave --%s out", strings.Join(o.Extras, ", --"))
	}
	o.Target, o.DataPlane, o.Extras, o.Runtime, o.Seed, o.FuzzFor = head.Target, head.DataPlane, head.Extras, head.Runtime, head.Seed, head.FuzzFor
	if !given("stages") {
		o.Stages = nil
		for _, s := range head.Stages {
			o.Stages = append(o.Stages, string(s))
		}
	}
	return nil
}
