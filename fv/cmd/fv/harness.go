package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes/docker"
	"github.com/nodefv/nodefv/infra/runtimes/local"
	"github.com/nodefv/nodefv/infra/targets"
)

// provider is a runtime as the harness uses it.
type provider interface {
	infra.Runtime
	Name() string
	// Prepare makes what containers of a component are started from, if it is absent or its sources have changed.
	Prepare(ctx context.Context, component string) error
}

// harness is what every command that touches an environment shares.
type harness struct {
	builder *build.Builder
	runtime provider // of the environment that is worked on; nil until it is chosen
	docker  *docker.Runtime
	local   *local.Runtime
	absent  map[string]error // why a runtime can't be used

	manifests []string // of the agent's checkout
}

// Names of runtimes, and of the choice among them.
const (
	runtimeAuto   = "auto"
	runtimeDocker = "docker"
	runtimeLocal  = "local"
)

// newHarness reaches the runtimes that this machine has; a machine that has none is a usage error.
func newHarness(ctx context.Context) (*harness, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, usage(err)
	}
	h := &harness{builder: &build.Builder{Root: root, Report: reportBuild}, absent: map[string]error{}}
	if h.docker, err = docker.New(ctx, h.builder, overriddenImages()); err != nil {
		h.absent[runtimeDocker] = err
	}
	if h.local, err = local.New(h.builder); err != nil {
		h.absent[runtimeLocal] = err
	}
	if len(h.providers()) == 0 {
		return nil, usage(fmt.Errorf("%w; %w", h.absent[runtimeDocker], h.absent[runtimeLocal]))
	}
	return h, nil
}

// openHarness returns a harness in which an environment can be started with these options, and the target of it.
func openHarness(ctx context.Context, o environmentOptions) (*harness, infra.Target, error) {
	h, err := newHarness(ctx)
	if err != nil {
		return nil, nil, err
	}
	target, err := h.open(ctx, o)
	return h, target, err
}

// open chooses the runtime, removes what killed runs left, and makes what an environment is started from. Wrong options are
// found before anything is built for them.
func (h *harness) open(ctx context.Context, o environmentOptions) (infra.Target, error) {
	if err := h.use(o); err != nil {
		return nil, err
	}
	if err := h.sweepOrphans(ctx); err != nil {
		return nil, err
	}
	if err := h.buildCheckout(ctx, o); err != nil {
		return nil, usage(err)
	}
	target, err := h.newTarget(ctx, o)
	if err != nil {
		return nil, err
	}
	return target, h.prepare(ctx, o)
}

// providers are the runtimes that this machine has.
func (h *harness) providers() []provider {
	var all []provider
	if h.absent[runtimeDocker] == nil {
		all = append(all, h.docker)
	}
	if h.absent[runtimeLocal] == nil {
		all = append(all, h.local)
	}
	return all
}

// choose chooses the runtime by its name; automatically, Docker where an engine answers and otherwise local, which it tells.
func (h *harness) choose(name string) error {
	if name == runtimeAuto {
		name = runtimeDocker
		if why := h.absent[runtimeDocker]; why != nil {
			name = runtimeLocal
			fmt.Fprintf(os.Stderr, "runtime local: %v\n", why)
		}
	}
	if why := h.absent[name]; why != nil {
		return usage(why)
	}
	for _, e := range h.providers() {
		if e.Name() == name {
			h.runtime = e
			return nil
		}
	}
	return usage(fmt.Errorf("--runtime %q: want %s, %s or %s", name, runtimeAuto, runtimeDocker, runtimeLocal))
}

// placedRun is a run and where it is.
type placedRun struct {
	infra.RunInfo
	provider provider
}

// runs lists the runs of all runtimes.
func (h *harness) runs(ctx context.Context) ([]placedRun, error) {
	var all []placedRun
	for _, e := range h.providers() {
		runs, err := e.Runs(ctx)
		if err != nil {
			return nil, usage(err)
		}
		for _, r := range runs {
			all = append(all, placedRun{r, e})
		}
	}
	return all, nil
}

// forgetGone forgets what is remembered of runs that are gone; all are those that are known.
func (h *harness) forgetGone(all []placedRun) error {
	var known []infra.RunInfo
	for _, r := range all {
		known = append(known, r.RunInfo)
	}
	var asked []string
	for _, e := range h.providers() {
		asked = append(asked, e.Name())
	}
	return infra.ForgetGone(known, asked...)
}

// projectRoot is where the components' sources are: above the working directory, or above this program.
func projectRoot() (string, error) {
	root, err := build.FindRoot(".")
	if err == nil {
		return root, nil
	}
	if self, e := os.Executable(); e == nil {
		if root, e := build.FindRoot(filepath.Dir(self)); e == nil {
			return root, nil
		}
	}
	return "", err
}

// prepare makes what an environment is started from.
func (h *harness) prepare(ctx context.Context, o environmentOptions) error {
	if err := h.haveDriver(); err != nil {
		return usage(err)
	}
	info, err := targets.Find(o.target)
	if err != nil {
		return usage(err)
	}
	for _, c := range append([]string{build.Etcd, build.Kubernetes, build.Node, build.Driver}, info.Running(o.extras)...) {
		if err := h.runtime.Prepare(ctx, c); err != nil {
			return usage(err)
		}
	}
	return nil
}

// haveDriver reports a driver that was never compiled before anything is built for it.
func (h *harness) haveDriver() error {
	path := filepath.Join(h.builder.Root, "bin", "fv.test")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("the driver bin/fv.test is missing: run `make build`")
	}
	return nil
}

// newTarget makes the SUT's side of the harness.
func (h *harness) newTarget(ctx context.Context, o environmentOptions) (infra.Target, error) {
	info, err := targets.Find(o.target)
	if err != nil {
		return nil, usage(err)
	}
	manifests, err := h.agentManifests(ctx, info.Agent(), o)
	if err != nil {
		return nil, usage(err)
	}
	target, err := targets.New(o.target, targets.Options{
		DataPlane: o.dataplane, Extras: o.extras, Manifests: manifests, Command: strings.Fields(os.Getenv(commandVariable(info.Agent()))),
		Settings: o.settings, Env: o.env, Memory: o.memory,
	})
	return target, usage(err)
}

// sweepOrphans removes what runs left behind whose maker is gone and that nobody asked to keep.
func (h *harness) sweepOrphans(ctx context.Context) error {
	runs, err := h.runs(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Kept() || !r.Owner.Gone(r.Created) {
			continue
		}
		fmt.Fprintf(os.Stderr, "removing what run %s left behind (%d containers)\n", r.Run, r.Containers)
		if err := errors.Join(r.provider.Sweep(ctx, r.Run), infra.Forget(r.Run)); err != nil {
			return err
		}
	}
	return h.forgetGone(runs)
}
