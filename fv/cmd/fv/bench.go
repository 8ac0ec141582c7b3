package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics/report"
)

func benchCommand() *cobra.Command {
	var o environmentOptions
	var s suiteOptions
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
			if _, err := s.resolve(); err != nil {
				return usage(err)
			}
			return bench(c.Context(), o, s, rounds, c.OutOrStdout())
		},
	}
	o.flags(c.Flags())
	s.flags(c.Flags())
	c.Flags().IntVar(&rounds, "rounds", 5, "how often to measure everything")
	return c
}

// measurements are the values of each quantity, by runtime, in order of appearance.
type measurements struct {
	order  []string
	values map[string]map[string][]float64
}

func (m *measurements) add(quantity, runtime string, value float64) {
	if m.values[quantity] == nil {
		m.order = append(m.order, quantity)
		m.values[quantity] = map[string][]float64{}
	}
	m.values[quantity][runtime] = append(m.values[quantity][runtime], value)
}

func bench(ctx context.Context, o environmentOptions, s suiteOptions, rounds int, out io.Writer) error {
	h, err := newHarness(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range h.providers() {
		if o.runtime == runtimeAuto || o.runtime == p.Name() {
			names = append(names, p.Name())
		}
	}
	if len(names) == 0 {
		return h.choose(o.runtime)
	}
	m := &measurements{values: map[string]map[string][]float64{}}
	for round := range rounds {
		for _, name := range names {
			o.runtime = name
			if _, err := h.open(ctx, o); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "round %d of %d, runtime %s\n", round+1, rounds, name)
			if err := h.benchOnce(ctx, o, s, m); err != nil {
				return &exitError{exitInconclusive, err}
			}
		}
	}
	machine, err := machineFacts()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d CPUs, %d GiB, Linux %s; medians of %d rounds, smallest and largest in brackets.\n\n", machine.CPU, machine.CPUs, machine.MemoryBytes>>30, machine.Kernel, rounds)
	m.table(out, names)
	return nil
}

// benchOnce measures one environment from its start to its end.
func (h *harness) benchOnce(ctx context.Context, o environmentOptions, s suiteOptions, m *measurements) (err error) {
	runtime := h.runtime.Name()
	target, err := h.newTarget(ctx, o)
	if err != nil {
		return err
	}
	sess, err := newSession(h, newRunID(), o, s, nil)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(sess.dir, "harness.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	sess.out, sess.complaints = log, log
	begun := time.Now()
	env, err := infra.Up(ctx, infra.Config{
		Runtime: h.runtime, Target: target, Run: sess.id, Out: sess.dir, Making: h.making(o),
	})
	if err != nil {
		return err
	}
	m.add("start until the agent is ready, s", runtime, time.Since(begun).Seconds())
	defer func() {
		begun := time.Now()
		err = errors.Join(err, env.Down(ctx))
		m.add("down, s", runtime, time.Since(begun).Seconds())
	}()
	if err := h.benchLoops(ctx, env, sess, m); err != nil {
		return err
	}
	begun = time.Now()
	if _, err := sess.drive(ctx, env, sess.suite.ginkgo()); err != nil {
		return err
	}
	m.add("all chosen scenarios, s", runtime, time.Since(begun).Seconds())
	rec, err := report.Load(sess.dir)
	if err != nil {
		return err
	}
	addScenarios(m, runtime, begun, rec)
	return nil
}

// benchLine is a line of a benchmark's output: its name, without the number of what runs more than once, and what it measured.
var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:#\d+)?(?:-\d+)?\s+\d+((?:\s+[0-9.e+]+ \S+)+)$`)

// benchLoops runs the driver's benchmarks and reads what they print.
func (h *harness) benchLoops(ctx context.Context, env *infra.Environment, sess *session, m *measurements) error {
	var said bytes.Buffer
	exit, err := env.Drive(ctx, infra.Handoff{Version: infra.HandoffVersion, Run: sess.id, Seed: 1}, sess.dir,
		[]string{"--test.run=^$", "--test.bench=.", "--test.benchtime=1x", "--test.timeout=0"}, &said)
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("the benchmarks ended with code %d", exit.Code)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	for _, line := range benchLine.FindAllStringSubmatch(said.String(), -1) {
		fields := strings.Fields(line[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil && fields[i+1] != "ns/op" {
				m.add(line[1]+", "+fields[i+1], h.runtime.Name(), value)
			}
		}
	}
	return nil
}

// ancestors are the scenarios that the original suite had among its quick ones.
var ancestors = []string{
	"one local endpoint", "ten local endpoints", "hundred local endpoints", "two isolated namespaces", "cleared pod address", "label rotation", "thousand pods",
}

func addScenarios(m *measurements, runtime string, begun time.Time, rec report.Record) {
	if n := len(rec.Scenarios); n > 0 {
		m.add("first scenario begins after, s", runtime, rec.Scenarios[0].Started.Sub(begun).Seconds())
	}
	sum, seen := 0.0, 0
	for _, sc := range rec.Scenarios {
		if sc.Ended.IsZero() {
			continue
		}
		took := sc.Ended.Sub(sc.Started).Seconds()
		if slices.Contains(ancestors, sc.Name) {
			sum, seen = sum+took, seen+1
		}
		if len(sc.Operations) == 0 {
			continue
		}
		for _, f := range sc.Findings {
			if sc.Name == "10,000 endpoints" && f.Step == "deploy" && f.Name == "gauges" {
				m.add("10,000 endpoints, first write until seen, s", runtime, f.At.Sub(sc.Operations[0].At).Seconds())
			}
		}
	}
	if seen == len(ancestors) {
		m.add("the seven quick scenarios of the ancestor, s", runtime, sum)
	}
	for _, sc := range rec.Scenarios {
		if !sc.Ended.IsZero() {
			m.add("scenario "+sc.Name+", s", runtime, sc.Ended.Sub(sc.Started).Seconds())
		}
	}
}

// table prints the medians, and the ratio of each of ours to its bare loop.
func (m *measurements) table(out io.Writer, runtimes []string) {
	fmt.Fprintf(out, "| | %s |\n|---|%s\n", strings.Join(runtimes, " | "), strings.Repeat("---|", len(runtimes)))
	for _, quantity := range m.order {
		fmt.Fprintf(out, "| %s |", quantity)
		for _, r := range runtimes {
			fmt.Fprintf(out, " %s |", spread(m.values[quantity][r]))
		}
		fmt.Fprintln(out)
		bare, ok := m.bareOf(quantity)
		if !ok {
			continue
		}
		fmt.Fprintf(out, "| … of the bare loop's |")
		for _, r := range runtimes {
			fmt.Fprintf(out, " %.0f %% |", 100*median(m.values[quantity][r])/median(m.values[bare][r]))
		}
		fmt.Fprintln(out)
	}
}

// bareOf names the bare loop that a quantity of ours is compared with.
func (m *measurements) bareOf(quantity string) (string, bool) {
	for _, bare := range []string{"/raw,", "/bare,"} {
		if other := strings.Replace(quantity, "/ours,", bare, 1); other != quantity && m.values[other] != nil {
			return other, true
		}
	}
	return "", false
}

func spread(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", digits(median(values)), digits(slices.Min(values)), digits(slices.Max(values)))
}

// digits writes a value with three digits or, if it is large, all before the point.
func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
