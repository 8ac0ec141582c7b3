package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

func fuzzCommand() *cobra.Command {
	var o environmentOptions
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
			for seed == 0 {
				seed = rand.Uint64() >> 32
			}
			return runOrder(c.Context(), o, seed, order, repeatFuzz(o, seed, order))
		},
	}
	o.flags(c.Flags())
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

func repeatFuzz(o environmentOptions, seed uint64, order fuzz.Order) string {
	words := []string{"bin/fv fuzz --seed", strconv.FormatUint(seed, 10), "--ops", strconv.Itoa(order.Ops)}
	if order.For > 0 {
		words = append(words, "--for", order.For.String())
	}
	if order.Restarts {
		words = append(words, "--restarts")
	}
	if order.Known {
		words = append(words, "--known")
	}
	if order.Plant != "" {
		words = append(words, "--plant", "'"+order.Plant+"'")
	}
	return strings.Join(append(words, environmentWords(o)...), " ")
}

func replayCommand() *cobra.Command {
	var o environmentOptions
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
				o.target = repro.Target.Name
			}
			if !given("dataplane") {
				o.dataplane = repro.Target.DataPlane
			}
			if o.extras == nil {
				o.extras = repro.Target.Extras
			}
			o.settings = repro.Target.Settings
			command := strings.Join(append([]string{"bin/fv replay", args[0], "--times", strconv.Itoa(times)}, environmentWords(o)...), " ")
			return runOrder(c.Context(), o, repro.Seed, fuzz.Order{Replay: &repro, Times: times}, command)
		},
	}
	o.flags(c.Flags())
	c.Flags().IntVar(&times, "times", 1, "how often")
	return c
}

// runOrder carries an order out in an environment of its own, which is removed.
func runOrder(ctx context.Context, o environmentOptions, seed uint64, order fuzz.Order, command string) error {
	if order.Replay == nil {
		o.settings = []string{targets.NoResync}
	}
	h, target, err := openHarness(ctx, o)
	if err != nil {
		return err
	}
	order.Target = fuzz.Target{
		Name: o.target, DataPlane: o.dataplane, Extras: o.extras, Runtime: h.runtime.Name(), Settings: slices.Clone(o.settings), Versions: h.versions(o.target),
		Own: h.given(o.target),
	}
	sess, err := newSession(h, newRunID(), o, suiteOptions{seed: seed}, nil)
	if err != nil {
		return usage(err)
	}
	sess.fuzz, sess.command = &order, command
	fmt.Fprintf(os.Stderr, "run %s: seed %d, record in %s\n", sess.id, seed, sess.dir)
	env, err := h.up(ctx, target, o, sess.id, sess.dir, false)
	if err != nil {
		return sess.broken(ctx, err)
	}
	verdict, err := sess.drive(ctx, env, sess.suite.ginkgo())
	if err = errors.Join(err, env.Down(ctx)); err != nil {
		return &exitError{exitInconclusive, err}
	}
	if verdict != metrics.Pass && order.Replay == nil {
		fmt.Fprintf(os.Stderr, "what repeats a failure, if there was one: bin/fv replay %s/repro.json\n", sess.dir)
		if order.Target.Own {
			fmt.Fprintln(os.Stderr, "replayed without your own agent, it tells whether the unchanged one fails too")
		}
	}
	return verdictError(verdict)
}
