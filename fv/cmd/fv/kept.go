package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra"
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
			fmt.Fprint(c.OutOrStdout(), env.Access())
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
	var env, copies []string
	var tty bool
	c := &cobra.Command{
		Use: "exec [flags] -- CMD [ARG…]", Short: "Run a program inside the network namespace of the node", Args: cobra.MinimumNArgs(1),
		Long: `exec runs any program inside the network namespace of the node, beside the agent. A file of this machine is
copied in (it must be static, or find its libraries in Debian 12). In its environment: KUBECONFIG, FV_NODE (the node's name), FV_TARGET_ADDR, FV_METRICS_URL.
It reads what fv is given to read; in a loop of a shell that reads a file, write </dev/null. Its exit code is that of fv.`,
		Example: `  fv exec -- ip route
  fv exec -t -- bash
  fv exec -- nft -f - <rules.nft
  fv exec --env LOG_LEVEL=debug --copy testdata.yaml -- ./my-test-binary -f /testdata.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			p := harness.Program{Command: args, Copies: copies, Streams: infra.Streams{In: c.InOrStdin(), Out: c.OutOrStdout(), Err: c.ErrOrStderr()}}
			if tty {
				p.Terminal = func() (*infra.Terminal, func(), error) { return takeTerminal(os.Stdin) }
			}
			if err := errors.Join(checkTerminal(tty, os.Stdin), harness.CheckRun(run), variables(env, &p.Env), files(copies)); err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			exit, err := h.Exec(c.Context(), run, p)
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
	c.Flags().BoolVarP(&tty, "tty", "t", false, "give the program a terminal: yours")
	c.Flags().StringArrayVar(&env, "env", nil, "K=V: set this in the program's environment; may be given more than once")
	c.Flags().StringArrayVar(&copies, "copy", nil, "copy this file to /; may be given more than once")
	return c
}

// variables takes K=V apart.
func variables(words []string, to *map[string]string) error {
	*to = map[string]string{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return usage(fmt.Errorf("--env %q: want K=V", word))
		}
		(*to)[name] = value
	}
	return nil
}

// files refuses what is no file.
func files(paths []string) error {
	for _, path := range paths {
		if _, info, err := there(path); err != nil {
			return usage(fmt.Errorf("--copy %q: %w", path, err))
		} else if !info.Mode().IsRegular() {
			return usage(fmt.Errorf("--copy %q: that is no file", path))
		}
	}
	return nil
}
