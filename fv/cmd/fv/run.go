package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func runCommand() *cobra.Command {
	var o harness.Options
	var s harness.Suite
	var resolve func() error
	var keep string
	c := &cobra.Command{
		Use: "run [flags] [-- GINKGO FLAGS]", Short: "Start an environment, run the scenarios, judge, remove the environment", Args: onlyAfterDashes,
		Example: `  fv run
  fv run --focus 'pod churn' --cycles 3
  fv run --labels 'churn && !slow' --dataplane nftables`,
		RunE: func(c *cobra.Command, args []string) error {
			if keep != harness.KeepNever && keep != harness.KeepOnFailure && keep != harness.KeepAlways {
				return usage(fmt.Errorf("--keep %q: want %s, %s or %s", keep, harness.KeepNever, harness.KeepOnFailure, harness.KeepAlways))
			}
			s.Extra = ginkgoFlags(args)
			if err := resolve(); err != nil {
				return err
			}
			if err := o.Check(givenImages()); err != nil {
				return err
			}
			if done, err := shown(c, &s); done || err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			return ended(h.Run(c.Context(), o, s, keep))
		},
	}
	environmentFlags(c.Flags(), &o)
	resolve = suiteFlags(c.Flags(), &s)
	c.Flags().StringVar(&keep, "keep", harness.KeepNever, "leave the environment running: never, on-failure or always")
	return c
}
