package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// onlyKept returns the run of the environment that is running, if it is the only one.
func (h *Harness) onlyKept(ctx context.Context) (string, error) {
	runs, err := h.runs(ctx)
	if err != nil {
		return "", err
	}
	var kept []string
	for _, r := range runs {
		if r.Kept() || !r.Owner.Gone(r.Created) {
			kept = append(kept, r.Run)
		}
	}
	switch len(kept) {
	case 0:
		return "", usage(errors.New("no environment is running: start one with `fv up`"))
	case 1:
		return kept[0], nil
	}
	return "", usage(fmt.Errorf("several environments are running: choose one with --run: %s", strings.Join(kept, ", ")))
}

// Test runs a suite against the kept environment of that run, or the only one there is, so many times, each with a record of its own
// below out, and returns the worst verdict.
func (h *Harness) Test(ctx context.Context, run, out string, s Suite, times int) (metrics.Verdict, error) {
	env, o, err := h.attachToDrive(ctx, run, out)
	if err != nil {
		return metrics.Inconclusive, err
	}
	verdict := metrics.Skip
	for range times {
		sess, err := h.newSession(o, s)
		if err != nil {
			return metrics.Inconclusive, err
		}
		v, err := sess.drive(ctx, env, s.ginkgo())
		if err != nil {
			return metrics.Inconclusive, err
		}
		verdict = metrics.Worst(verdict, v)
	}
	return verdict, nil
}

// attachToDrive finds the kept environment and makes sure that there is a driver for it. Records go below out.
func (h *Harness) attachToDrive(ctx context.Context, run, out string) (*infra.Environment, Options, error) {
	env, o, err := h.attach(ctx, run)
	if err != nil {
		return nil, o, err
	}
	o.Out = out
	return env, o, h.prepareDriver(ctx, o)
}

// Exec runs a program inside the network namespace of the node of a kept environment: a file of this machine, which is copied in, or one of
// the node's own.
func (h *Harness) Exec(ctx context.Context, run string, command []string, out io.Writer) (infra.Exit, error) {
	env, _, err := h.attach(ctx, run)
	if err != nil {
		return infra.Exit{}, err
	}
	spec := infra.Spec{Component: build.Driver, Command: command}
	if info, err := os.Stat(command[0]); err == nil && info.Mode().IsRegular() {
		inside := "/usr/local/bin/" + filepath.Base(command[0])
		spec.Files = []infra.File{{Path: inside, Mode: 0o755, Source: command[0]}}
		spec.Command = append([]string{inside}, command[1:]...)
	}
	exit, err := env.Exec(ctx, spec, out)
	if errors.Is(err, infra.ErrNoProgram) {
		return exit, usage(fmt.Errorf("%q is neither a file here nor a program in the node's container", command[0]))
	}
	return exit, err
}
