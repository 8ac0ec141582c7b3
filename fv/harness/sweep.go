package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sweep"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// SweepOptions choose what is swept.
type SweepOptions struct {
	Options
	Plan   sweep.Plan
	Preset string         // whose plans are made from what the machine can do, instead of Plan; empty: none
	For    time.Duration  // no cell begins after it, since the first began, of all sweeps of a preset; 0: all are measured
	Show   *regexp.Regexp // quantities that are told; nil: those that say most
	Resume string         // folder of a sweep that is gone on with; all but For and Show come from there
	Width  int            // columns of the terminal

	until time.Time // when the For of a preset ends that has begun
}

// Check refuses what can't be swept before anything is started: a cell that can't be is found now.
func (o *SweepOptions) Check(images map[string]string) error {
	if o.Preset != "" {
		return o.checkPreset(images)
	}
	if o.Resume != "" {
		s, err := sweep.Load(o.Resume)
		if errors.Is(err, fs.ErrNotExist) {
			return usage(fmt.Errorf("--resume %s: there is no sweep: name the folder with %s", o.Resume, sweep.File))
		}
		if err == nil {
			err = json.Unmarshal(s.Options, &o.Options)
		}
		if err != nil {
			return usage(fmt.Errorf("--resume %s: the sweep is damaged: %w", o.Resume, err))
		}
		o.Plan = s.Plan
	}
	if err := o.Plan.Check(); err != nil {
		return usage(err)
	}
	if err := checkScenario(o.Plan.Scenario); err != nil {
		return usage(err)
	}
	for _, a := range o.Plan.Axes {
		for _, v := range a.Values[1:] {
			if _, known := scenarios.ParamDocs()[a.Name]; known && !scenarios.Heeds(o.Plan.Scenario, a.Name, a.Values[0], v) {
				return usage(fmt.Errorf("-p %s: scenario %q is the same with %s and with %s; `fv sweep --help` shows the parameters", a.Name, o.Plan.Scenario, a.Values[0], v))
			}
		}
	}
	for _, c := range o.Plan.Cells() {
		if c.Round > 1 {
			continue
		}
		if _, err := o.suite(c); err != nil {
			return err
		}
	}
	return o.Options.Check(images)
}

// checkScenario refuses a name that no scenario has.
func checkScenario(name string) error {
	all, err := scenarios.All(scenarios.Params{})
	if err != nil {
		return err
	}
	known := names(all)
	if slices.Contains(known, name) {
		return nil
	}
	if meant := Nearest(name, known); meant != "" {
		return fmt.Errorf("there is no scenario %q; did you mean %q? `fv list` shows all", name, meant)
	}
	return fmt.Errorf("there is no scenario %q; `fv list` shows them", name)
}

// suite is what is run in a cell.
func (o *SweepOptions) suite(c sweep.Cell) (Suite, error) {
	s := Suite{Focus: "^" + regexp.QuoteMeta(o.Plan.Scenario) + "$", Seed: o.Plan.Seed, Params: o.Plan.ParamsOf(c)}
	return s, s.Resolve()
}

// sweeping is a sweep that is under way.
type sweeping struct {
	h       *Harness
	o       SweepOptions
	dir     string
	target  targets.Target
	env     *infra.Environment // nil: none is there
	driven  bool               // the agent has been used
	until   time.Time          // when no cell begins any more; zero: all are measured
	journal *sweep.Journal
	sweep.Sweep
}

// Sweep measures a scenario in each cell of a plan, in one environment in which the agent is restarted before each, and lays the results side
// by side. What was measured is kept whenever it ends, and can be gone on with. The verdict is the worst of all cells.
func (h *Harness) Sweep(ctx context.Context, o SweepOptions) (metrics.Verdict, error) {
	if o.Preset != "" {
		return h.preset(ctx, o)
	}
	_, verdict, err := h.sweep(ctx, o)
	return verdict, err
}

// sweep measures one plan.
func (h *Harness) sweep(ctx context.Context, o SweepOptions) (w *sweeping, verdict metrics.Verdict, err error) {
	w = &sweeping{h: h, o: o, dir: o.Resume}
	if w.target, err = h.Prepare(ctx, o.Options); err != nil {
		return w, metrics.Inconclusive, err
	}
	if err := w.open(); err != nil {
		return w, metrics.Inconclusive, usage(err)
	}
	defer func() { err = errors.Join(err, w.journal.Close()) }()
	w.until = o.end(time.Now())
	cells := w.Lacks()
	fmt.Fprintf(h.cfg.Progress, "sweep of %s: %d cells, seed %d, results in %s\n", o.Plan.Scenario, len(cells), o.Plan.Seed, fromHere(w.dir))
	err = w.measureAll(ctx, cells)
	if w.env != nil {
		err = withCleanup(err, w.env.Down(context.WithoutCancel(ctx)))
	}
	if told := w.tell(); told != nil || err != nil {
		return w, metrics.Inconclusive, errors.Join(err, told)
	}
	return w, w.Verdict(), nil
}

// open begins the sweep's folder, or goes on with it.
func (w *sweeping) open() (err error) {
	if w.dir != "" {
		w.journal, w.Sweep, err = sweep.Resume(w.dir)
		return err
	}
	if w.dir, err = filepath.Abs(filepath.Join(w.o.Out, "sweep-"+NewRunID())); err != nil {
		return err
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	w.Head = sweep.Head{Plan: w.o.Plan, Command: repeatSweep(w.o), Agent: w.o.Target + " " + w.h.versions(w.o.Target)[w.o.Target]}
	if machine, err := Machine(); err == nil {
		w.Machine = fmt.Sprintf("%s, %d CPUs, Linux %s, runtime %s", machine.CPU, machine.CPUs, machine.Kernel, w.h.runtime.Name())
	}
	if w.Options, err = json.Marshal(w.o.Options); err != nil {
		return err
	}
	w.journal, err = sweep.Begin(w.dir, w.Head)
	return err
}

// end is when no cell of a sweep that begins now begins any more; zero: all are measured.
func (o *SweepOptions) end(now time.Time) time.Time {
	if o.For > 0 && o.until.IsZero() {
		return now.Add(o.For)
	}
	return o.until
}

// measureAll measures cells until all are done, the time is up or the context ends.
func (w *sweeping) measureAll(ctx context.Context, cells []sweep.Cell) error {
	for i, c := range cells {
		if !w.until.IsZero() && time.Now().After(w.until) {
			fmt.Fprintf(w.h.cfg.Progress, "the time is up: %d cells are left; %s goes on\n", len(cells)-i, w.again())
			return nil
		}
		words := fmt.Sprintf("cell %d of %d: %s", i+1, len(cells), w.o.Plan.Words(c))
		r, err := w.measure(ctx, c, words)
		if err == nil && r.Verdict == metrics.Inconclusive && ctx.Err() == nil {
			fmt.Fprintf(w.h.cfg.Progress, "%s: inconclusive: %s; once more, in a new environment\n", words, r.Reason)
			if err = w.renew(ctx); err == nil {
				r, err = w.measure(ctx, c, words)
			}
		}
		if ctx.Err() != nil {
			fmt.Fprintf(w.h.cfg.Progress, "interrupted in %s; %s goes on\n", words, w.again())
			return &InterruptedError{Where: "in " + words, Told: true, Cause: context.Cause(ctx)}
		}
		if err != nil {
			return fmt.Errorf("%s: %w; %s goes on", words, err, w.again())
		}
		if err := w.journal.Add(r); err != nil {
			return err
		}
		w.Results = append(w.Results, r)
		fmt.Fprintf(w.h.cfg.Out, "%s: %s%s\n", words, r.Verdict, outcome(r))
	}
	return nil
}

// outcome is the rest of the line that tells a cell: why it did not pass, or how long it took.
func outcome(r sweep.Result) string {
	if r.Verdict != metrics.Pass {
		return ": " + r.Reason
	}
	i := slices.IndexFunc(r.Quantities, func(q report.Quantity) bool { return q.Name == "duration" })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf(", %.1f s", r.Quantities[i].Value)
}

func (w *sweeping) again() string { return "`bin/fv sweep --resume " + fromHere(w.dir) + "`" }

// measure runs the scenario in a cell, with an agent that was restarted for it.
func (w *sweeping) measure(ctx context.Context, c sweep.Cell, words string) (r sweep.Result, err error) {
	defer w.h.status.during("  " + words)()
	if err := w.freshAgent(ctx); err != nil {
		return r, err
	}
	suite, err := w.o.suite(c)
	if err != nil {
		return r, err
	}
	o := w.o.Options
	o.Out = filepath.Join(w.dir, "cells")
	sess, closeLog, err := w.h.quietSession(o, suite)
	if err != nil {
		return r, err
	}
	r = sweep.Result{Cell: c, At: time.Now(), Record: filepath.Join("cells", sess.id)}
	w.driven = true
	r.Verdict, err = sess.driveKept(ctx, w.env)
	if err = errors.Join(err, closeLog()); err != nil {
		return r, err
	}
	rec, err := report.Load(sess.dir)
	if err != nil {
		return r, err
	}
	rec = engine.Judge(rec)
	r.Reason = rec.Reason
	for _, sc := range rec.Scenarios {
		if sc.Verdict == rec.Verdict && sc.Reason != "" {
			r.Reason = sc.Reason // the cell's only scenario: its cause says more than how many came to the verdict
		}
		r.Quantities = append(r.Quantities, rec.Quantities(sc)...)
		if sc.Verdict == metrics.Skip {
			return r, usage(fmt.Errorf("%s is skipped here: %s", sc.Name, sc.Skipped))
		}
	}
	return r, nil
}

// freshAgent makes sure that there is an environment, with an agent that nothing was done with yet.
func (w *sweeping) freshAgent(ctx context.Context) error {
	if w.env == nil {
		return w.renew(ctx)
	}
	if !w.driven {
		return nil
	}
	if err := w.env.RestartAgent(ctx); err != nil {
		fmt.Fprintf(w.h.cfg.Progress, "the agent can't be restarted: %v; a new environment is made\n", err)
		return w.renew(ctx)
	}
	return nil
}

// renew removes the environment, if there is one, and starts another.
func (w *sweeping) renew(ctx context.Context) (err error) {
	if w.env != nil {
		if err := w.env.Down(ctx); err != nil {
			return err
		}
		w.env = nil
	}
	id := NewRunID()
	w.driven = false
	w.env, err = w.h.Up(ctx, w.target, w.o.Options, id, filepath.Join(w.dir, "environments", id), false)
	return err
}

// tell writes the files and prints the table.
func (w *sweeping) tell() error {
	if len(w.Results) == 0 {
		return nil
	}
	notes, err := report.ReadNotes(w.dir)
	w.Notes = notes // some may have been written while cells were measured
	err = errors.Join(err, w.WriteAll(w.dir, w.Compare(nil)))
	fmt.Fprintln(w.h.cfg.Out)
	err = errors.Join(err, w.Table(w.h.cfg.Out, w.Compare(w.o.Show), w.o.Width))
	fmt.Fprintf(w.h.cfg.Out, "\nsweep: %s: sweep.html, summary.md, results.csv (every number), plots, cells\n", fromHere(w.dir))
	return err
}

// repeatSweep is the command that sweeps the same again.
func repeatSweep(o SweepOptions) string {
	words := []string{"bin/fv sweep", "'" + o.Plan.Scenario + "'", "--seed", strconv.FormatUint(o.Plan.Seed, 10), "--repeat", strconv.Itoa(o.Plan.Rounds)}
	for _, name := range slices.Sorted(maps.Keys(o.Plan.Params)) {
		words = append(words, "--"+name, o.Plan.Params[name])
	}
	for _, a := range o.Plan.Axes {
		words = append(words, "-p", a.Name+"="+strings.Join(a.Values, ","))
	}
	return strings.Join(append(words, o.words()...), " ")
}
