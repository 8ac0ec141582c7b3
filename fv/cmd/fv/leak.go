package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/scenarios/leak"
)

// The ends of a search for leaks, unless the user says otherwise.
const (
	leakFor      = 10 * time.Minute
	leakForUntil = time.Hour // with --until-sure
)

func leakCommand() *cobra.Command {
	var o harness.Options
	var order leak.Order
	var seed uint64
	names, docs := leak.Churns()
	c := &cobra.Command{
		Use: "leak", Short: "Tell whether the agent leaks, how much for each object, and where", Args: cobra.NoArgs,
		Long: `leak makes and removes objects, cycle after cycle, always back to the same state, and reads what the agent and the kernel hold after each.
It ends with a verdict: a leak, with its size for each object and the lines of code that keep it; or no leak above the smallest that the run could
have seen; or that it takes more cycles to tell. docs/leak.md says how. The agent runs with GODEBUG=memprofilerate=1, so that every allocation is
counted. Exit codes as of fv run: 1 for a leak, 3 where it can't be told.

Kinds of churn:
` + leakChurns(names, docs),
		Example: `  fv leak
  fv leak --churn policies --until-sure
  fv leak --churn api-restarts --cycles 20`,
		RunE: func(c *cobra.Command, _ []string) error {
			if order.Cycles == 0 && order.For == 0 {
				order.For = leakFor
				if order.UntilSure {
					order.For = leakForUntil
				}
			}
			order, err := order.Check()
			if err != nil {
				return usage(err)
			}
			h, err := openFor(c, o)
			if err != nil {
				return err
			}
			return ended(h.Leak(c.Context(), o, harness.SeedOr(seed), order))
		},
	}
	environmentFlags(c.Flags(), &o)
	f := c.Flags()
	f.Uint64Var(&seed, "seed", 0, "seed of names; 0 draws one and prints it")
	f.StringVar(&order.Churn, "churn", "local-pods", "what comes and goes: "+strings.Join(names, ", "))
	f.IntVar(&order.Objects, "objects", 0, "how many in each cycle (default: the churn's own number)")
	f.IntVar(&order.Cycles, "cycles", 0, "end after so many cycles")
	f.DurationVar(&order.For, "for", 0, fmt.Sprintf("end after this time (default %v, with --until-sure %v, if --cycles is not given)", leakFor, leakForUntil))
	f.BoolVar(&order.UntilSure, "until-sure", false, "end as soon as there is a verdict; the intervals allow for looking again and again")
	f.StringVar(&order.Identities, "identities", leak.Fresh, "names and addresses in each cycle: fresh, as in a real cluster, or the same")
	f.Float64Var(&order.See, "see", 0, fmt.Sprintf("bytes of heap for each object that must be told from none, else the verdict is open (default %d, for restarts %d)", leak.SeeBytes, leak.SeeRestartBytes))
	return c
}

func leakChurns(names, docs []string) string {
	var b strings.Builder
	for i, n := range names {
		fmt.Fprintf(&b, "  %-15s %s\n", n, docs[i])
	}
	return b.String()
}
