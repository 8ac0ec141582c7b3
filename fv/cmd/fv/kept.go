package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func upCommand() *cobra.Command {
	var o harness.Options
	c := &cobra.Command{
		Use: "up", Short: "Start an environment and leave it running", Args: cobra.NoArgs,
		Long: "up starts an environment, leaves it running and prints how to reach it. `fv test` and `fv exec` work on it, `fv down` removes it.",
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := openFor(c, o)
			if err != nil {
				return err
			}
			env, err := h.UpToKeep(c.Context(), o)
			if err != nil {
				return err
			}
			fmt.Fprint(c.OutOrStdout(), env.Reach())
			return nil
		},
	}
	environmentFlags(c.Flags(), &o)
	return c
}

func testCommand() *cobra.Command {
	var s harness.Suite
	var resolve func() error
	var run, out string
	var repeat int
	c := &cobra.Command{
		Use: "test [flags] [-- GINKGO FLAGS]", Short: "Run the suite against a running environment, again and again", Args: onlyAfterDashes,
		Example: `  fv test
  fv test --focus 'policy churn' --repeat 5
  fv test -- -v --dry-run`,
		RunE: func(c *cobra.Command, args []string) error {
			if repeat < 1 {
				return usage(fmt.Errorf("--repeat %d: must be at least 1", repeat))
			}
			s.Extra = ginkgoFlags(args)
			if err := errors.Join(resolve(), harness.CheckRun(run), harness.CheckOut(out)); err != nil {
				return err
			}
			if done, err := shown(c, &s); done || err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			return ended(h.Test(c.Context(), run, out, s, repeat))
		},
	}
	resolve = suiteFlags(c.Flags(), &s)
	c.Flags().StringVar(&out, "out", "out", "directory for records")
	c.Flags().StringVar(&run, "run", "", "the environment's run (default: the only one)")
	c.Flags().IntVar(&repeat, "repeat", 1, "how often to run the suite, each with a record of its own")
	return c
}

func execCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use: "exec [flags] -- CMD [ARG…]", Short: "Run a program inside the network namespace of the node", Args: cobra.MinimumNArgs(1),
		Long: `exec runs any program inside the network namespace of the node, beside the agent. A file of this machine is
copied in (it must be static, or find its libraries in Debian 12). In its environment: KUBECONFIG, FV_NODE (the node's name), FV_TARGET_ADDR, FV_METRICS_URL.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := harness.CheckRun(run); err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			exit, err := h.Exec(c.Context(), run, args, c.OutOrStdout())
			if err != nil {
				return err
			}
			if exit.Code != 0 {
				return &exitError{code: exit.Code}
			}
			return nil
		},
	}
	c.Flags().StringVar(&run, "run", "", "the environment's run (default: the only one)")
	return c
}

func downCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "down [RUN…]", Short: "Remove environments, also those whose maker was killed",
		Long: "down removes the environments of the named runs, or the kept ones and the orphans if none is named. --all removes those of running commands too.",
		RunE: func(c *cobra.Command, args []string) error {
			h, err := open(c)
			if err != nil {
				return err
			}
			return h.Down(c.Context(), args, all, func(run string) { fmt.Fprintf(c.OutOrStdout(), "removed %s\n", run) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything of ours on this machine")
	return c
}
