package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func benchCommand() *cobra.Command {
	var o harness.Options
	var s harness.Suite
	var resolve func() error
	var rounds int
	c := &cobra.Command{
		Use: "bench", Short: "Measure how fast we are, beside the bare things, on every runtime in turn", Args: cobra.NoArgs,
		Long: `bench starts an environment on each runtime that this machine has, in turn and again each round, and measures in each: how long
the start takes, the scenarios with all their checks, plugging and creating pods beside bare loops that do nothing else, and removal.
It prints a table of medians with ranges. Nothing is judged: a slow machine is no failure.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if rounds < 1 {
				return usage(fmt.Errorf("--rounds %d: must be at least 1", rounds))
			}
			if err := resolve(); err != nil {
				return err
			}
			return bench(c, o, s, rounds)
		},
	}
	environmentFlags(c.Flags(), &o)
	resolve = suiteFlags(c.Flags(), &s)
	c.Flags().IntVar(&rounds, "rounds", 5, "how often to measure everything")
	return c
}

func bench(c *cobra.Command, o harness.Options, s harness.Suite, rounds int) error {
	h, err := openFor(c, o)
	if err != nil {
		return err
	}
	names, err := h.Runtimes(o.Runtime)
	if err != nil {
		return err
	}
	m, err := h.Bench(c.Context(), o, s, names, rounds)
	if err != nil {
		return err
	}
	machine, err := harness.Machine()
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%s, %d CPUs, %d GiB, Linux %s; medians of %d rounds, smallest and largest in brackets.\n\n", machine.CPU, machine.CPUs, machine.MemoryBytes>>30, machine.Kernel, rounds)
	m.Table(out, names)
	return nil
}
