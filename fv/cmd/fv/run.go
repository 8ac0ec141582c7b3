package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics"
)

func runCommand() *cobra.Command {
	var o harness.Options
	var s harness.Suite
	var resolve func() error
	var keep string
	var repeat int
	c := &cobra.Command{
		Use: "run [flags] [-- GINKGO FLAGS]", Short: "Start an environment, run the scenarios, judge, remove the environment", Args: onlyAfterDashes,
		Example: `  fv run
  fv run --focus 'pod churn' --cycles 3
  fv run --labels 'churn && !slow' --dataplane nftables`,
		RunE: func(c *cobra.Command, args []string) error {
			if keep != harness.KeepNever && keep != harness.KeepOnFailure && keep != harness.KeepAlways {
				return usage(fmt.Errorf("--keep %q: want %s, %s or %s", keep, harness.KeepNever, harness.KeepOnFailure, harness.KeepAlways))
			}
			if repeat < 1 {
				return usage(fmt.Errorf("--repeat %d: must be at least 1", repeat))
			}
			if repeat > 1 && keep != harness.KeepNever {
				return usage(fmt.Errorf("--repeat %d runs in new environments, so --keep %s can't be", repeat, keep))
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
			verdict := metrics.Skip
			for range repeat {
				v, err := h.Run(c.Context(), o, s, keep)
				if verdict = metrics.Worst(verdict, v); err != nil {
					return ended(verdict, err)
				}
			}
			return ended(verdict, nil)
		},
	}
	environmentFlags(c.Flags(), &o)
	resolve = suiteFlags(c.Flags(), &s)
	c.Flags().IntVar(&repeat, "repeat", 1, "how often to do it all, each time in a new environment and with a record of its own")
	c.Flags().StringVar(&keep, "keep", harness.KeepNever, "leave the environment running: never, on-failure or always")
	return c
}
