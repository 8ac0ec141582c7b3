package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
)

func faultsCommand() *cobra.Command {
	var o environmentOptions
	var focus string
	var repeat int
	var seed uint64
	c := &cobra.Command{
		Use: "faults", Short: "Break things on purpose and see whether the suite finds each, for the right cause", Args: cobra.NoArgs,
		Long: `faults tests the tester: each row of its table is a fault made behind the agent's back, in the agent or in the datastore, in the
middle of churn, in an environment of its own in which the agent never looks again at what it has programmed. Exit code 0: every fault
was judged as it must be; 1: one was not.`,
		RunE: func(c *cobra.Command, _ []string) error {
			re, err := regexp.Compile(focus)
			if err != nil {
				return usage(fmt.Errorf("--focus %q: %w", focus, err))
			}
			if repeat < 1 {
				return usage(fmt.Errorf("--repeat %d: must be at least 1", repeat))
			}
			return breakAll(c.Context(), o, re, repeat, seed, c.OutOrStdout())
		},
	}
	o.flags(c.Flags())
	c.Flags().StringVar(&focus, "focus", "", "make only the faults whose name matches this regular expression")
	c.Flags().IntVar(&repeat, "repeat", 1, "how often to make each fault")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of everything that is drawn")
	return c
}

// breakAll makes the faults one after the other and prints the table as it grows.
func breakAll(ctx context.Context, o environmentOptions, focus *regexp.Regexp, repeat int, seed uint64, out io.Writer) error {
	var chosen []faults.Fault
	for _, f := range faults.All() {
		if focus.MatchString(f.Name) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return usage(fmt.Errorf("--focus %q matches no fault", focus))
	}
	h, _, err := openHarness(ctx, o)
	if err != nil {
		return err
	}
	missed := 0
	fmt.Fprintf(out, "%-7s %-26s %-13s %6s  %s\n", "", "FAULT", "VERDICT", "TOOK", "FOUND")
	for range repeat {
		for _, f := range chosen {
			begun := time.Now()
			rec, err := h.breakOne(ctx, o, f, seed)
			if err != nil {
				return &exitError{exitInconclusive, fmt.Errorf("%s: %w", f.Name, err)}
			}
			caught, told := f.Caught(rec)
			word := "caught"
			if !caught {
				word, missed = "MISSED", missed+1
			}
			fmt.Fprintf(out, "%-7s %-26s %-13s %5.1fs  %s\n", word, f.Name, rec.Verdict, time.Since(begun).Seconds(), brief(told))
		}
	}
	if missed > 0 {
		return &exitError{exitFail, fmt.Errorf("%d of %d faults were missed", missed, repeat*len(chosen))}
	}
	fmt.Fprintf(out, "\nall %d faults were caught\n", repeat*len(chosen))
	return nil
}

// brief shortens what was told to a line.
func brief(told string) string {
	told, _, _ = strings.Cut(told, "\n")
	if len(told) > 160 {
		told = told[:160] + "…"
	}
	return told
}

// breakOne makes one fault in an environment of its own, which is removed, and returns the judged record.
func (h *harness) breakOne(ctx context.Context, o environmentOptions, f faults.Fault, seed uint64) (rec report.Record, err error) {
	o.settings, o.memory = append([]string{targets.NoResync}, f.Settings...), f.Memory
	target, err := h.newTarget(ctx, o)
	if err != nil {
		return rec, err
	}
	node, err := h.builder.Artifact(ctx, build.Node)
	if err != nil {
		return rec, err
	}
	sess, err := newSession(h, newRunID(), o, suiteOptions{seed: seed}, nil)
	if err != nil {
		return rec, usage(err)
	}
	log, err := os.Create(filepath.Join(sess.dir, "harness.log"))
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	sess.fault, sess.out, sess.complaints = f.Name, log, log
	env, err := infra.Up(ctx, infra.Config{
		Runtime: h.runtime, Target: target, Run: sess.id, Out: sess.dir, Supervisor: filepath.Join(node.Dir, "bin", "fv-pause"),
		Making: infra.Making{Runtime: h.runtime.Name(), Binaries: o.binaries},
	})
	if err == nil {
		_, err = sess.drive(ctx, env, sess.suite.ginkgo())
		err = errors.Join(err, env.Down(ctx))
	} else if _, recordErr := sess.record(ctx, err); recordErr == nil && isDeath(err) {
		err = nil // the verdict says so
	}
	if ctx.Err() != nil {
		return rec, context.Cause(ctx)
	}
	if err != nil {
		return rec, err
	}
	if rec, err = report.Load(sess.dir); err == nil {
		rec = engine.Judge(rec)
	}
	return rec, err
}

func isDeath(err error) bool {
	var died *infra.DiedError
	return errors.As(err, &died)
}
