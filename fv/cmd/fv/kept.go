package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/metrics"
)

func upCommand() *cobra.Command {
	var o environmentOptions
	c := &cobra.Command{
		Use: "up", Short: "Start an environment and leave it running", Args: cobra.NoArgs,
		Long: "up starts an environment, leaves it running and prints how to reach it. `fv test` and `fv exec` work on it, `fv down` removes it.",
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			h, target, err := openHarness(ctx, o)
			if err != nil {
				return err
			}
			id := newRunID()
			dir, err := filepath.Abs(filepath.Join(o.out, id))
			if err != nil {
				return err
			}
			env, err := h.up(ctx, target, o, id, dir, true)
			if err != nil {
				return err
			}
			fmt.Fprint(c.OutOrStdout(), env.Reach())
			return nil
		},
	}
	o.flags(c.Flags())
	return c
}

// attach finds the kept environment of that run, or the only one there is.
func (h *harness) attach(ctx context.Context, run string) (*infra.Environment, environmentOptions, error) {
	o, run, err := h.kept(ctx, run)
	if err != nil {
		return nil, o, err
	}
	target, err := h.newTarget(ctx, o)
	if err != nil {
		return nil, o, err
	}
	env, err := infra.Attach(ctx, h.runtime, target, run)
	return env, o, usage(err)
}

// kept chooses the environment and returns how it was started.
func (h *harness) kept(ctx context.Context, run string) (environmentOptions, string, error) {
	var o environmentOptions
	if run == "" {
		runs, err := h.runs(ctx)
		if err != nil {
			return o, "", err
		}
		var kept []string
		for _, r := range runs {
			if r.Kept() || !r.Owner.Gone(r.Created) {
				kept = append(kept, r.Run)
			}
		}
		switch len(kept) {
		case 0:
			return o, "", usage(errors.New("no environment is running: start one with `fv up`"))
		case 1:
			run = kept[0]
		default:
			return o, "", usage(fmt.Errorf("several environments are running: choose one with --run: %s", strings.Join(kept, ", ")))
		}
	}
	facts, err := infra.ReadFacts(run)
	if err != nil {
		return o, "", usage(err)
	}
	making, err := infra.ReadMaking(run)
	if err != nil {
		return o, "", usage(err)
	}
	o = environmentOptions{target: facts.Name, dataplane: facts.DataPlane, extras: facts.Extras, runtime: making.Runtime, binaries: making.Binaries}
	o.agent.Component, o.agent.Release = making.Agent.Component, making.Agent.Release
	err = h.use(o)
	if o.agent = agentOptions(making.Agent); o.agent.Source != "" {
		o.binaries = maps.Clone(making.Binaries)
		delete(o.binaries, o.agent.Component) // it was built from there
	}
	return o, run, err
}

func testCommand() *cobra.Command {
	var s suiteOptions
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
			s.extra = ginkgoFlags(args)
			ctx := c.Context()
			params, err := s.resolve()
			if err != nil {
				return usage(err)
			}
			if s.dryRun() {
				return showSuite(ctx, s, c.OutOrStdout())
			}
			if err := checkExtra(ctx, s); err != nil {
				return usage(err)
			}
			h, err := newHarness(ctx)
			if err != nil {
				return err
			}
			env, o, err := h.attach(ctx, run)
			if err != nil {
				return err
			}
			o.out = out
			if err := h.prepare(ctx, o); err != nil {
				return err
			}
			verdict := metrics.Skip
			for range repeat {
				sess, err := newSession(h, newRunID(), o, s, params)
				if err != nil {
					return usage(err)
				}
				v, err := sess.drive(ctx, env, s.ginkgo())
				if err != nil {
					return &exitError{exitInconclusive, err}
				}
				verdict = metrics.Worst(verdict, v)
			}
			return verdictError(verdict)
		},
	}
	s.flags(c.Flags())
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
			ctx := c.Context()
			h, err := newHarness(ctx)
			if err != nil {
				return err
			}
			env, _, err := h.attach(ctx, run)
			if err != nil {
				return err
			}
			spec := infra.Spec{Component: build.Driver, Command: args}
			if info, err := os.Stat(args[0]); err == nil && info.Mode().IsRegular() {
				inside := "/usr/local/bin/" + filepath.Base(args[0])
				spec.Files = []infra.File{{Path: inside, Mode: 0o755, Source: args[0]}}
				spec.Command = append([]string{inside}, args[1:]...)
			}
			exit, err := env.Exec(ctx, spec, c.OutOrStdout())
			if errors.Is(err, infra.ErrNoProgram) {
				return usage(fmt.Errorf("%q is neither a file here nor a program in the node's container", args[0]))
			}
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
			ctx := c.Context()
			h, err := newHarness(ctx)
			if err != nil {
				return err
			}
			runs, err := h.runs(ctx)
			if err != nil {
				return err
			}
			chosen, err := chooseRuns(runs, args, all)
			if err != nil {
				return usage(err)
			}
			for _, r := range chosen {
				if err := errors.Join(r.provider.Sweep(ctx, r.Run), infra.Forget(r.Run)); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "removed %s\n", r.Run)
			}
			return h.forgetGone(runs)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything of ours on this machine")
	return c
}

// chooseRuns returns the named runs, or if none is named, those that are kept or orphaned; all chooses the others too.
func chooseRuns(runs []placedRun, named []string, all bool) ([]placedRun, error) {
	for _, name := range named {
		if !slices.ContainsFunc(runs, func(r placedRun) bool { return r.Run == name }) {
			return nil, fmt.Errorf("there is no environment %s", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r placedRun) bool {
		if len(named) > 0 {
			return !slices.Contains(named, r.Run)
		}
		return !all && !r.Kept() && !r.Owner.Gone(r.Created)
	}), nil
}
