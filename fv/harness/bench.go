package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics/report"
)

// Measurements are the values of each quantity, by runtime, in order of appearance.
type Measurements struct {
	order  []string
	values map[string]map[string][]float64
}

func (m *Measurements) add(quantity, runtime string, value float64) {
	if m.values[quantity] == nil {
		m.order = append(m.order, quantity)
		m.values[quantity] = map[string][]float64{}
	}
	m.values[quantity][runtime] = append(m.values[quantity][runtime], value)
}

// Bench measures environments on these runtimes in turn, again each round.
func (h *Harness) Bench(ctx context.Context, o Options, s Suite, runtimes []string, rounds int) (*Measurements, error) {
	m := &Measurements{values: map[string]map[string][]float64{}}
	for round := range rounds {
		for _, name := range runtimes {
			o.Runtime = name
			target, err := h.Prepare(ctx, o)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(h.cfg.Progress, "round %d of %d, runtime %s\n", round+1, rounds, name)
			if err := h.benchOnce(ctx, target, o, s, m); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// benchOnce measures one environment from its start to its end.
func (h *Harness) benchOnce(ctx context.Context, target infra.Target, o Options, s Suite, m *Measurements) (err error) {
	runtime := h.runtime.Name()
	sess, closeLog, err := h.quietSession(o, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	begun := time.Now()
	env, err := h.start(ctx, infra.Config{
		Target: target, Run: sess.id, Out: sess.dir, Making: h.making(o),
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
func (h *Harness) benchLoops(ctx context.Context, env *infra.Environment, sess *session, m *Measurements) error {
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

func addScenarios(m *Measurements, runtime string, begun time.Time, rec report.Record) {
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
