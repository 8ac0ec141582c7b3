// Package harness is a session from outside the node: it starts environments, drives the driver in them, writes and judges the records,
// keeps environments for later and sweeps what killed runs left.
//
// It reads neither flags nor the environment, and ends no process; what it tells goes to the writers that it is given. It links no
// netlink and no test framework. A program that uses it calls local.BecomeLauncher first. A Harness works on one environment at a time,
// but for Alone, which is safe for concurrent use.
package harness

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes/docker"
	"github.com/nodefv/nodefv/infra/runtimes/local"
	_ "github.com/nodefv/nodefv/infra/targets/all" // so that targets.All has them
)

// UsageError is wrong usage, or a machine that lacks something: nothing that it concerns was started.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// Config is what a harness is told of the machine and its user; the zero Config works.
type Config struct {
	Root     string              // of a checkout of this project; empty: above the working directory, or above this program
	Images   map[string]string   // the user's own, by component
	Commands map[string][]string // of agents in the user's images, by component, if they are not the target's own
	Out      io.Writer           // what sessions tell: the driver's output and the table; nil: nobody listens
	Progress io.Writer           // steps and complaints; nil: nobody listens
	Screen   Screen              // that Out is read on
}

// Out is where results are told, beside the status line.
func (h *Harness) Out() io.Writer { return h.cfg.Out }

// provider is a runtime as the harness uses it.
type provider interface {
	infra.Runtime
	Name() string
	// Prepare makes what containers of a component are started from, if it is absent or its sources have changed.
	Prepare(ctx context.Context, component string) error
}

// Harness is what all that touches environments shares.
type Harness struct {
	cfg     Config
	builder *build.Builder
	runtime provider // of the environment that is worked on; nil until it is chosen
	docker  *docker.Runtime
	local   *local.Runtime
	absent  map[string]error // why a runtime can't be used

	status   *status
	building sync.Map // component to what ends its status

	manifests []string // of the agent's checkout
}

// Names of runtimes, and of the choice among them.
const (
	RuntimeAuto   = "auto"
	RuntimeDocker = "docker"
	RuntimeLocal  = "local"
)

// Open reaches the runtimes that this machine has; a machine that has none is a usage error.
func Open(ctx context.Context, cfg Config) (*Harness, error) {
	cfg.Out, cfg.Progress = cmp.Or[io.Writer](cfg.Out, io.Discard), cmp.Or[io.Writer](cfg.Progress, io.Discard)
	if cfg.Root == "" {
		root, err := ProjectRoot()
		if err != nil {
			return nil, usage(err)
		}
		cfg.Root = root
	}
	h := &Harness{cfg: cfg, absent: map[string]error{}, status: newStatus(cfg.Out, cfg.Screen)}
	h.cfg.Out, h.cfg.Progress = besideStatus{h.status, cfg.Out}, besideStatus{h.status, cfg.Progress}
	h.builder = &build.Builder{Root: cfg.Root, Report: h.reportBuild}
	var err error
	if h.docker, err = docker.New(ctx, h.builder, cfg.Images); err != nil {
		h.absent[RuntimeDocker] = err
	}
	if h.local, err = local.New(h.builder); err != nil {
		h.absent[RuntimeLocal] = err
	}
	if len(h.providers()) == 0 {
		return nil, usage(fmt.Errorf("%w; %w", h.absent[RuntimeDocker], h.absent[RuntimeLocal]))
	}
	return h, nil
}

// ProjectRoot is where the components' sources are: above the working directory, or above this program.
func ProjectRoot() (string, error) {
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

// providers are the runtimes that this machine has.
func (h *Harness) providers() []provider {
	var all []provider
	if h.absent[RuntimeDocker] == nil {
		all = append(all, h.docker)
	}
	if h.absent[RuntimeLocal] == nil {
		all = append(all, h.local)
	}
	return all
}

// Runtimes returns the names of the runtimes that this machine has and that a name chooses, which may be RuntimeAuto: all of them. It is
// an error if there are none.
func (h *Harness) Runtimes(name string) ([]string, error) {
	var names []string
	for _, p := range h.providers() {
		if name == RuntimeAuto || name == p.Name() {
			names = append(names, p.Name())
		}
	}
	if len(names) == 0 {
		return nil, h.choose(name)
	}
	return names, nil
}

// choose chooses the runtime by its name; automatically, Docker where an engine answers and otherwise local, which it tells.
func (h *Harness) choose(name string) error {
	if name == RuntimeAuto {
		name = RuntimeDocker
		if why := h.absent[RuntimeDocker]; why != nil {
			name = RuntimeLocal
			fmt.Fprintf(h.cfg.Progress, "runtime local: %v\n", why)
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
	return usage(unknownRuntime(name))
}

// Images builds the images of a target and all its extras that are missing on the Docker engine, removes ours that are neither current
// nor in use if it shall, and lists them.
func (h *Harness) Images(ctx context.Context, target string, prune bool) ([]docker.Image, error) {
	if err := h.choose(RuntimeDocker); err != nil {
		return nil, err
	}
	o, err := withAllExtras(target)
	if err != nil {
		return nil, err
	}
	if err := h.prepareDriver(ctx, o); err != nil {
		return nil, err
	}
	if prune {
		if _, err := h.docker.Images.Prune(ctx); err != nil {
			return nil, err
		}
	}
	return h.docker.Images.List(ctx)
}
