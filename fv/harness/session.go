package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/scenarios/steer"
	"github.com/nodefv/nodefv/workloads/load"
)

// session is one run of the driver in an environment, and its record.
type session struct {
	h       *Harness
	id, dir string
	options Options
	suite   Suite
	fault   string       // of scenarios/faults, instead of the suite
	fuzz    *fuzz.Order  // instead of the suite
	leak    *leak.Order  // instead of the suite
	traffic *load.Order  // instead of the suite
	steer   *steer.Stage // instead of the suite
	quick   bool         // scenarios that take long come last
	command string       // repeats the session; empty: it follows from the options
	journal *report.Journal

	out, complaints io.Writer // what the user sees
	screen          Screen    // that out is read on
	label           string    // before the status
}

// newSession begins a record; that it can't is a usage error.
func (h *Harness) newSession(o Options, s Suite) (*session, error) {
	id := NewRunID()
	dir, err := filepath.Abs(filepath.Join(o.Out, id))
	if err != nil {
		return nil, usage(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, usage(fmt.Errorf("make the record's folder: %w", err))
	}
	journal, err := report.Create(filepath.Join(dir, "journal-harness.jsonl"))
	if err != nil {
		return nil, usage(err)
	}
	latest := filepath.Join(o.Out, "latest")
	_ = os.Remove(latest) // a link to the run before, or nothing
	// There may be one again by now: of another run that has just begun.
	if err := os.Symlink(id, latest); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, usage(errors.Join(fmt.Errorf("link %s: %w", latest, err), journal.Close()))
	}
	return &session{h: h, id: id, dir: dir, options: o, suite: s, journal: journal, out: h.cfg.Out, complaints: h.cfg.Progress, screen: h.cfg.Screen}, nil
}

// announce tells that a run begins, and where its record will be.
func (s *session) announce() {
	fmt.Fprintf(s.h.cfg.Progress, "run %s: seed %d, record in %s\n", s.id, s.suite.Seed, fromHere(s.dir))
}

// errPartDied interrupts a driver whose environment is no longer whole.
var errPartDied = errors.New("a part of the environment died")

// drive runs the driver to its end, watches the containers meanwhile, judges the record and writes it.
func (s *session) drive(ctx context.Context, env *infra.Environment, args []string) (metrics.Verdict, error) {
	fuzzing, err := ordered(s.fuzz)
	if err != nil {
		return metrics.Inconclusive, err
	}
	leaking, err := ordered(s.leak)
	if err != nil {
		return metrics.Inconclusive, err
	}
	traffic, err := ordered(s.traffic)
	if err != nil {
		return metrics.Inconclusive, err
	}
	steering, err := ordered(s.steer)
	if err != nil {
		return metrics.Inconclusive, err
	}
	if err := s.begin(ctx, env.AgentVersion()); err != nil {
		return metrics.Inconclusive, err
	}
	driving, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	watching, stop := context.WithCancel(ctx)
	var watches sync.WaitGroup
	watches.Go(func() { env.Watch(watching, func(e report.Event) { s.happened(e, abort) }) })
	watches.Go(func() { s.watchMachine(watching, env) })
	live := &liveWriter{out: s.out, screen: s.screen, status: s.h.status, label: s.label, all: len(s.suite.Extra) > 0}
	defer live.answers()()
	if !s.screen.Colours {
		args = append(args, "--ginkgo.no-color")
	}
	grouped := s.screen.group(s.out, "scenarios")
	words := &report.LastWords{}
	env.OfferReleases(s.h.releases(s.options))
	exit, err := env.Drive(driving, infra.Handoff{
		Version: infra.HandoffVersion, Run: s.id, Seed: s.suite.Seed, Parameters: s.suite.Params, Live: true, Fault: s.fault, Fuzz: fuzzing, Leak: leaking, Traffic: traffic, Steer: steering, QuickFirst: s.quick,
		Command: s.repeat(),
	}, s.dir, args, io.MultiWriter(words, untilEnd{ctx, live}))
	_ = live.Close()
	grouped()
	stop()
	watches.Wait()
	if errors.Is(err, errPartDied) {
		err = nil // the verdict says so
	}
	if err == nil && driving.Err() == nil && exit.Code != 0 && exit.Code != 1 {
		// The verdict says so.
		died := report.Event{At: time.Now(), Container: string(infra.RoleDriver), What: "exited", ExitCode: exit.Code, OOM: exit.OOM, Cause: words.Cause(), Log: words.Lines()}
		_ = s.journal.Write(report.Entry{Event: &died})
	}
	if ctx.Err() != nil {
		rec, _ := report.Load(s.dir) // finish reports the error
		err = s.interrupted(ctx, place(rec))
	}
	fmt.Fprintln(s.out)
	verdict, finishErr := s.finish()
	return verdict, withCleanup(err, finishErr)
}

// untilEnd passes on what is written until the context ends: what an interrupted driver has to say is in its log.
type untilEnd struct {
	context.Context
	io.Writer
}

func (u untilEnd) Write(p []byte) (int, error) {
	if u.Err() != nil {
		return len(p), nil
	}
	return u.Writer.Write(p)
}

// happened writes down what became of a container, and tells it if nobody asked for it.
func (s *session) happened(e report.Event, abort context.CancelCauseFunc) {
	_ = s.journal.Write(report.Entry{Event: &e}) // the last write reports the error
	if e.Asked {
		return
	}
	fmt.Fprintf(s.complaints, "\n%s\n", e.Describe(s.options.Target))
	for _, line := range lastLines(e.Log) {
		fmt.Fprintln(s.complaints, "   ", line)
	}
	if len(e.Log) > 0 {
		fmt.Fprintf(s.complaints, "    more in %s\n", fromHere(filepath.Join(s.dir, "logs", e.Container+".log")))
	}
	if e.Container != string(infra.RoleAgent) { // the agent is started again; nothing can be learnt without the others
		abort(errPartDied)
	}
}

// lastLines are the last of a log, cut so that they fit a terminal of 80 columns behind their indent: the record has them all.
func lastLines(log []string) []string {
	const most, columns = 5, 75
	var last []string
	for _, line := range log[max(0, len(log)-most):] {
		last = append(last, fitting(line, columns))
	}
	return last
}

// ordered is an order as the driver reads it; nil: there is none.
func ordered[T any](order *T) (json.RawMessage, error) {
	if order == nil {
		return nil, nil
	}
	return json.Marshal(order)
}

func (s *session) repeat() string {
	if s.command != "" {
		return s.command
	}
	return repeatRun(s.options, s.suite)
}
