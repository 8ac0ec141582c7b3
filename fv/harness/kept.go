package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/metrics"
)

// attach finds the kept environment of that run, or the only one there is.
func (h *Harness) attach(ctx context.Context, run string) (*infra.Environment, Options, error) {
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

// CheckRun refuses the name of a run of which this user has no environment. An empty one is no name.
func CheckRun(run string) error {
	if run == "" {
		return nil
	}
	if _, err := infra.ReadFacts(run); err != nil {
		return usage(fmt.Errorf("you have no environment %s; `fv ps` shows those there are", run))
	}
	return nil
}

// kept chooses the environment and returns how it was started.
func (h *Harness) kept(ctx context.Context, run string) (Options, string, error) {
	if run == "" {
		only, err := h.onlyKept(ctx)
		if err != nil {
			return Options{}, "", err
		}
		run = only
	}
	if err := errors.Join(CheckRun(run), h.checkKept(ctx, run)); err != nil {
		return Options{}, "", err
	}
	facts, err := infra.ReadFacts(run)
	if err != nil {
		return Options{}, "", usage(err)
	}
	making, err := infra.ReadMaking(run)
	if err != nil {
		return Options{}, "", usage(err)
	}
	o := Options{Target: facts.Name, DataPlane: facts.DataPlane, Extras: facts.Extras, Runtime: making.Runtime, Binaries: making.Binaries}
	o.Agent.Component, o.Agent.Release = making.Agent.Component, making.Agent.Release
	err = h.use(o)
	if o.Agent = making.Agent; o.Agent.Source != "" {
		o.Binaries = maps.Clone(making.Binaries)
		delete(o.Binaries, o.Agent.Component) // it was built from there
	}
	return o, run, err
}

// onlyKept returns the run of the environment that is kept, if it is the only one.
func (h *Harness) onlyKept(ctx context.Context) (string, error) {
	runs, err := h.runs(ctx)
	if err != nil {
		return "", err
	}
	var kept []string
	for _, r := range runs {
		if r.state() == Kept {
			kept = append(kept, r.Run)
		}
	}
	switch len(kept) {
	case 0:
		return "", usage(errors.New("no environment; run `fv up`"))
	case 1:
		return kept[0], nil
	}
	return "", usage(fmt.Errorf("several environments are kept: choose one with --run: %s", strings.Join(kept, ", ")))
}

// checkKept refuses the run of an environment that is not kept: its own command drives it.
func (h *Harness) checkKept(ctx context.Context, run string) error {
	runs, err := h.runs(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Run == run && r.state() != Kept {
			return usage(fmt.Errorf("run %s is %s: only environments that are kept can be used (`fv up`, or --keep)", run, r.state()))
		}
	}
	return nil
}

// Test runs a suite against the kept environment of that run, or the only one there is, so many times, each with a record of its own
// below out, and returns the worst verdict.
func (h *Harness) Test(ctx context.Context, run, out string, s Suite, times int) (metrics.Verdict, error) {
	env, o, release, err := h.attachToDrive(ctx, run, out)
	if err != nil {
		return metrics.Inconclusive, err
	}
	defer release()
	verdict := metrics.Skip
	for range times {
		sess, err := h.newSession(o, s)
		if err != nil {
			return metrics.Inconclusive, err
		}
		sess.announce()
		v, err := sess.driveKept(ctx, env)
		if err != nil {
			return metrics.Inconclusive, err
		}
		verdict = metrics.Worst(verdict, v)
	}
	return verdict, nil
}

// driveKept is as drive, in an environment that was attached to: its logs from now on go to the record.
func (s *session) driveKept(ctx context.Context, env *infra.Environment) (metrics.Verdict, error) {
	recorded, err := env.Record(ctx, s.dir)
	if err != nil {
		return metrics.Inconclusive, errors.Join(err, s.journal.Close())
	}
	defer recorded()
	return s.drive(ctx, env, s.suite.ginkgo())
}

// attachToDrive finds the kept environment, takes it, and makes sure that there is a driver for it. Records go below out. It must be released.
func (h *Harness) attachToDrive(ctx context.Context, run, out string) (env *infra.Environment, o Options, release func(), err error) {
	env, o, err = h.attach(ctx, run)
	if err != nil {
		return nil, o, nil, err
	}
	o.Out = out
	free, err := env.Take()
	if err != nil {
		return nil, o, nil, usage(fmt.Errorf("%w: wait for its end", err))
	}
	release = func() { _ = free() } // the end of this process would do
	if err = env.Vacate(ctx); errors.Is(err, infra.ErrDriven) {
		err = usage(err)
	}
	if err == nil {
		err = h.prepareDriver(ctx, o)
	}
	if err != nil {
		release()
		return nil, o, nil, err
	}
	return env, o, release, nil
}

// Program is what Exec runs.
type Program struct {
	Command []string          // Command[0] is a file of this machine, which is copied in, or a program of the node's own
	Env     map[string]string // more of its environment
	Copies  []string          // more files of this machine, which are copied to /
	Streams infra.Streams     // without a terminal

	// Terminal takes the user's terminal for the program, when all is ready for it, until release is called; nil: it gets none.
	Terminal func() (t *infra.Terminal, release func(), err error)
}

// Exec runs a program inside the network namespace of the node of a kept environment.
func (h *Harness) Exec(ctx context.Context, run string, p Program) (infra.Exit, error) {
	env, _, err := h.attach(ctx, run)
	if err != nil {
		return infra.Exit{}, err
	}
	spec := infra.Spec{Component: build.Node, Command: p.Command, Env: p.Env, Streams: &p.Streams}
	if info, err := os.Stat(p.Command[0]); err == nil && info.Mode().IsRegular() {
		inside := "/usr/local/bin/" + filepath.Base(p.Command[0])
		spec.Files = []infra.File{{Path: inside, Mode: 0o755, Source: p.Command[0]}}
		spec.Command = append([]string{inside}, p.Command[1:]...)
	}
	for _, file := range p.Copies {
		info, err := os.Stat(file)
		if err != nil {
			return infra.Exit{}, usage(fmt.Errorf("--copy: %w", err))
		}
		spec.Files = append(spec.Files, infra.File{Path: "/" + filepath.Base(file), Mode: info.Mode(), Source: file})
	}
	if err := h.runtime.Prepare(ctx, spec.Component); err != nil {
		return infra.Exit{}, usage(err)
	}
	if p.Terminal != nil {
		terminal, release, err := p.Terminal()
		if err != nil {
			return infra.Exit{}, usage(err)
		}
		defer release()
		spec.Streams.Terminal = terminal
	}
	exit, err := env.Exec(ctx, spec, nil)
	if errors.Is(err, infra.ErrNoProgram) {
		return exit, usage(fmt.Errorf("%q is neither a file here nor a program in the node's container", p.Command[0]))
	}
	return exit, err
}
