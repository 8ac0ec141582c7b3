package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

func fuzzCommand() *cobra.Command {
	var o harness.Options
	var order fuzz.Order
	var seed uint64
	c := &cobra.Command{
		Use: "fuzz", Short: "Churn by operations drawn from a seed, compare as it goes, shrink what fails", Args: cobra.NoArgs,
		Long: `fuzz draws operations on nodes, namespaces, pods, labels and policies from a seed, makes them on a live environment, and after each
ten compares everything that scenarios are checked for. The same seed always gives the same operations, names and addresses. A failure is
shrunk against the environment, and the smallest list found is in the record's folder as repro.json, for fv replay, and as repro.go.txt, a
scenario. The agent's periodic resyncs are off, so that they do not mend what was wrong. Exit codes as of fv run.`,
		Example: `  fv fuzz --seed 7 --ops 2000
  fv fuzz --ops 0 --for 1h --dataplane nftables --restarts`,
		RunE: func(c *cobra.Command, _ []string) error {
			if order.Ops < 0 || order.For < 0 || order.ShrinkFor < 0 {
				return usage(errors.New("--ops, --for and --shrink must not be negative"))
			}
			if order.Ops == 0 && order.For == 0 {
				return usage(errors.New("--ops 0 needs --for: else there is no end"))
			}
			if order.Plant != "" {
				if _, err := fuzz.FindPlant(order.Plant); err != nil {
					return usage(err)
				}
			}
			h, err := openFor(c, o)
			if err != nil {
				return err
			}
			return ended(h.Fuzz(c.Context(), o, harness.SeedOr(seed), order))
		},
	}
	environmentFlags(c.Flags(), &o)
	c.Flags().Uint64Var(&seed, "seed", 0, "seed of all operations; 0 draws one and prints it")
	c.Flags().IntVar(&order.Ops, "ops", 1000, "end after so many operations; 0: only --for ends it")
	c.Flags().DurationVar(&order.For, "for", 0, "end after this time, if that comes first")
	c.Flags().DurationVar(&order.ShrinkFor, "shrink", 15*time.Minute, "how long a failure may be shrunk; 0: not at all")
	c.Flags().BoolVar(&order.Restarts, "restarts", false, "restart the agent now and then, too")
	c.Flags().BoolVar(&order.Known, "known", false, "draw also what is known to break the pinned agent (docs/findings.md)")
	c.Flags().StringVar(&order.Plant, "plant", "", "make a fault behind the agent's back, to test the fuzzer")
	_ = c.Flags().MarkHidden("plant") // the flag is there
	return c
}

func replayCommand() *cobra.Command {
	var o harness.Options
	var times int
	c := &cobra.Command{
		Use: "replay repro.json", Short: "Repeat a failure that fuzz found", Args: cobra.ExactArgs(1),
		Long: `replay makes the operations of a repro.json on an environment like the one in which they failed, if no option says otherwise; each
time on an empty cluster, with everything compared after each batch. Exit codes as of fv run: 1 if it failed at least once, and how often is said.`,
		Example: `  fv replay out/latest/repro.json --times 5
  fv replay repro.json --dataplane nftables`,
		RunE: func(c *cobra.Command, args []string) error {
			if times < 1 {
				return usage(fmt.Errorf("--times %d: must be at least 1", times))
			}
			repro, err := fuzz.ReadRepro(args[0])
			if err != nil {
				return usage(err)
			}
			given := c.Flags().Changed
			if !given("target") {
				o.Target = repro.Target.Name
			}
			if !given("dataplane") {
				o.DataPlane = repro.Target.DataPlane
			}
			if o.Extras == nil {
				o.Extras = repro.Target.Extras
			}
			o.Settings = repro.Target.Settings
			h, err := openFor(c, o)
			if err != nil {
				return err
			}
			return ended(h.Replay(c.Context(), o, repro, args[0], times))
		},
	}
	environmentFlags(c.Flags(), &o)
	c.Flags().IntVar(&times, "times", 1, "how often")
	return c
}
