package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

// When an environment outlives its run.
const (
	keepNever     = "never"
	keepOnFailure = "on-failure"
	keepAlways    = "always"
)

func runCommand() *cobra.Command {
	var env environmentOptions
	var suite suiteOptions
	var keep string
	c := &cobra.Command{
		Use: "run [flags] [-- GINKGO FLAGS]", Short: "Start an environment, run the scenarios, judge, remove the environment", Args: onlyAfterDashes,
		Example: `  fv run
  fv run --focus 'pod churn' --cycles 3
  fv run --labels 'churn && !slow' --dataplane nftables`,
		RunE: func(c *cobra.Command, args []string) error {
			if keep != keepNever && keep != keepOnFailure && keep != keepAlways {
				return usage(fmt.Errorf("--keep %q: want %s, %s or %s", keep, keepNever, keepOnFailure, keepAlways))
			}
			suite.extra = ginkgoFlags(args)
			return run(c.Context(), env, suite, keep)
		},
	}
	env.flags(c.Flags())
	suite.flags(c.Flags())
	c.Flags().StringVar(&keep, "keep", keepNever, "leave the environment running: never, on-failure or always")
	return c
}

func run(ctx context.Context, o environmentOptions, s suiteOptions, keep string) (err error) {
	params, err := s.resolve()
	if err != nil {
		return usage(err)
	}
	if s.dryRun() {
		return showSuite(ctx, s, os.Stdout)
	}
	if err := checkExtra(ctx, s); err != nil {
		return usage(err)
	}
	h, target, err := openHarness(ctx, o)
	if err != nil {
		return err
	}
	sess, err := newSession(h, newRunID(), o, s, params)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintf(os.Stderr, "run %s: seed %d, record in %s\n", sess.id, s.seed, sess.dir)
	env, err := h.up(ctx, target, o, sess.id, sess.dir, keep == keepAlways)
	if err != nil {
		return sess.broken(ctx, err)
	}
	verdict, err := sess.drive(ctx, env, s.ginkgo())
	if keep == keepAlways || (keep == keepOnFailure && verdict != metrics.Pass && context.Cause(ctx) == nil) {
		err = errors.Join(err, env.Keep())
		fmt.Fprintf(os.Stderr, "the environment stays; `fv test` runs against it, `fv down` removes it\n%s", env.Reach())
		return errors.Join(err, verdictError(verdict))
	}
	if downErr := env.Down(ctx); downErr != nil {
		return &exitError{exitInconclusive, errors.Join(err, downErr)}
	}
	if err != nil {
		return &exitError{exitInconclusive, err}
	}
	return verdictError(verdict)
}

// up starts an environment and tells its steps.
func (h *harness) up(ctx context.Context, target infra.Target, o environmentOptions, id, dir string, keep bool) (*infra.Environment, error) {
	begun := time.Now()
	env, err := infra.Up(ctx, infra.Config{
		Runtime: h.runtime, Target: target, Run: id, Out: dir, Keep: keep,
		Making: h.making(o),
		Report: func(step string) { fmt.Fprintf(os.Stderr, "  %5.1fs  %s\n", time.Since(begun).Seconds(), step) },
	})
	if err != nil {
		return nil, err
	}
	return env, nil
}

// session is one run of the suite against an environment, and its record.
type session struct {
	h       *harness
	id, dir string
	options environmentOptions
	suite   suiteOptions
	params  map[string]string
	fault   string      // of scenarios/faults, instead of the suite
	fuzz    *fuzz.Order // instead of the suite
	quick   bool        // scenarios that take long come last
	command string      // repeats the session; empty: it follows from the options
	journal *report.Journal

	out, complaints io.Writer // what the user sees
}

func newSession(h *harness, id string, o environmentOptions, s suiteOptions, params map[string]string) (*session, error) {
	dir, err := filepath.Abs(filepath.Join(o.out, id))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the record's folder: %w", err)
	}
	journal, err := report.Create(filepath.Join(dir, "journal-harness.jsonl"))
	if err != nil {
		return nil, err
	}
	latest := filepath.Join(o.out, "latest")
	_ = os.Remove(latest) // a link to the run before, or nothing
	// There may be one again by now: of another run that has just begun.
	if err := os.Symlink(id, latest); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("link %s: %w", latest, err)
	}
	return &session{h: h, id: id, dir: dir, options: o, suite: s, params: params, journal: journal, out: os.Stdout, complaints: os.Stderr}, nil
}

// errPartDied interrupts a driver whose environment is no longer whole.
var errPartDied = errors.New("a part of the environment died")

// drive runs the driver to its end, watches the containers meanwhile, judges the record and writes it.
func (s *session) drive(ctx context.Context, env *infra.Environment, args []string) (metrics.Verdict, error) {
	order, err := s.order()
	if err != nil {
		return metrics.Inconclusive, err
	}
	if err := s.begin(ctx, env.AgentVersion()); err != nil {
		return metrics.Inconclusive, err
	}
	driving, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		env.Watch(watching, func(e report.Event) {
			_ = s.journal.Write(report.Entry{Event: &e}) // the last write reports the error
			if !e.Asked {
				fmt.Fprintf(s.complaints, "\n%s\n", e.Describe(s.options.target))
				for _, line := range e.Log {
					fmt.Fprintln(s.complaints, "   ", line)
				}
			}
			if !e.Asked && e.Container != infra.RoleAgent { // the agent is started again; nothing can be learnt without the others
				abort(errPartDied)
			}
		})
	}()
	live := newLiveWriter(s.out)
	if !live.terminal {
		args = append(args, "--ginkgo.no-color")
	}
	exit, err := env.Drive(driving, infra.Handoff{
		Version: infra.HandoffVersion, Run: s.id, Seed: s.suite.seed, Parameters: s.params, Live: true, Fault: s.fault, Fuzz: order, QuickFirst: s.quick,
		Command: s.repeat(),
	}, s.dir, args, live)
	_ = live.Close()
	stop()
	<-watched
	if errors.Is(err, errPartDied) {
		err = nil // the verdict says so
	}
	if err == nil && driving.Err() == nil && exit.Code != 0 && exit.Code != 1 {
		err = fmt.Errorf("the driver ended with code %d", exit.Code)
		_ = s.journal.Write(report.Entry{Event: &report.Event{At: time.Now(), Container: infra.RoleDriver, What: "exited", ExitCode: exit.Code, OOM: exit.OOM}})
	}
	verdict, finishErr := s.finish()
	return verdict, errors.Join(err, finishErr)
}

// order is the order to the fuzzer as the driver reads it; nil: there is none.
func (s *session) order() (json.RawMessage, error) {
	if s.fuzz == nil {
		return nil, nil
	}
	return json.Marshal(s.fuzz)
}

func (s *session) repeat() string {
	if s.command != "" {
		return s.command
	}
	return repeatCommand(s.options, s.suite, s.params)
}

func (s *session) begin(ctx context.Context, agent string) error {
	name, version, err := s.h.runtime.Describe(ctx)
	if err != nil {
		return err
	}
	machine, err := machineFacts()
	if err != nil {
		return err
	}
	machine.Engine = name + " " + version
	versions := s.h.versions(s.options.target)
	if s.h.given(s.options.target) {
		versions[s.options.target] = strings.TrimSpace(agent + " " + versions[s.options.target])
	} else if agent != "" {
		versions[s.options.target] = agent
	}
	return s.journal.Write(report.Entry{Run: &report.Run{
		ID: s.id, Started: time.Now(), Seed: s.suite.seed, Command: s.repeat(), Target: s.options.target,
		Runtime: name, Parameters: s.params, Machine: machine, Versions: versions,
	}})
}

// finish judges what was recorded, writes every format and prints the table.
func (s *session) finish() (metrics.Verdict, error) {
	now := time.Now()
	err := errors.Join(s.journal.Write(report.Entry{End: &now}), s.journal.Close())
	rec, loadErr := report.Load(s.dir)
	if loadErr != nil {
		return metrics.Inconclusive, errors.Join(err, loadErr)
	}
	rec = engine.Judge(rec)
	err = errors.Join(err, report.WriteAll(s.dir, rec), report.Table(s.out, rec))
	fmt.Fprintf(s.out, "record: %s\n", s.dir)
	return rec.Verdict, err
}

// broken ends a run whose environment never came up, with the record of what there is: a failure if the SUT died, else
// inconclusive.
func (s *session) broken(ctx context.Context, cause error) error {
	verdict, err := s.record(ctx, cause)
	if err == nil && verdict == metrics.Fail {
		return &exitError{exitFail, cause}
	}
	return &exitError{exitInconclusive, errors.Join(cause, err)}
}

// record writes down why an environment did not come up, and judges that.
func (s *session) record(ctx context.Context, cause error) (metrics.Verdict, error) {
	err := s.begin(context.WithoutCancel(ctx), "")
	event := report.Event{At: time.Now(), Container: "environment", What: "did not come up: " + cause.Error()}
	var died *infra.DiedError
	if errors.As(cause, &died) && context.Cause(ctx) == nil {
		event = report.Event{At: event.At, Container: died.Role, What: "exited", ExitCode: died.Exit.Code, OOM: died.Exit.OOM, Cause: died.Cause, Log: died.Log}
	}
	err = errors.Join(err, s.journal.Write(report.Entry{Event: &event}))
	verdict, finishErr := s.finish()
	return verdict, errors.Join(err, finishErr)
}
