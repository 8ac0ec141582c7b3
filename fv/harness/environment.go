package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// Prepare chooses the runtime, removes what killed runs left, makes what an environment, and the driver in it, are started from, and
// returns its target. Wrong options are found before anything is built for them.
func (h *Harness) Prepare(ctx context.Context, o Options) (targets.Target, error) {
	target, err := h.choices(ctx, o)
	if err != nil {
		return nil, err
	}
	return target, h.prepareDriver(ctx, o)
}

// PrepareBare is as Prepare, for an environment in which no driver will run.
func (h *Harness) PrepareBare(ctx context.Context, o Options) (targets.Target, error) {
	target, err := h.choices(ctx, o)
	if err != nil {
		return nil, err
	}
	return target, h.prepare(ctx, o)
}

// choices chooses the runtime, removes what killed runs left, and returns the target.
func (h *Harness) choices(ctx context.Context, o Options) (targets.Target, error) {
	if err := h.use(o); err != nil {
		return nil, err
	}
	if err := h.sweepOrphans(ctx); err != nil {
		return nil, err
	}
	if err := h.buildCheckout(ctx, o); err != nil {
		return nil, usage(err)
	}
	return h.newTarget(ctx, o)
}

// prepareDriver makes what an environment and the driver in it are started from. That the driver was never compiled is found first.
func (h *Harness) prepareDriver(ctx context.Context, o Options) error {
	if _, err := os.Stat(filepath.Join(h.builder.Root, "bin", "fv.test")); err != nil {
		return usage(errors.New("the driver bin/fv.test is missing: run `make build`"))
	}
	return h.prepare(ctx, o, build.Driver)
}

// prepare makes what an environment is started from, and more components.
func (h *Harness) prepare(ctx context.Context, o Options, more ...string) error {
	info, err := targets.Find(o.Target)
	if err != nil {
		return usage(err)
	}
	components := append([]string{build.Etcd, build.Kubernetes, build.Node}, more...)
	for _, c := range append(components, info.Running(o.Extras)...) {
		if err := h.runtime.Prepare(ctx, c); err != nil {
			return usage(err)
		}
	}
	return nil
}

// Program builds a program of this project and returns its path.
func (h *Harness) Program(ctx context.Context, pkg string) (string, error) {
	path, err := h.builder.Program(ctx, pkg)
	return path, usage(err)
}

// Up starts an environment and tells its steps. The target is what Prepare returned for the same options.
func (h *Harness) Up(ctx context.Context, target infra.Target, o Options, id, dir string, keep bool) (*infra.Environment, error) {
	begun := time.Now()
	supervisor := ""
	if o.Restartable {
		var err error
		if supervisor, err = h.supervisor(ctx); err != nil {
			return nil, err
		}
	}
	defer h.status.during("  starting the environment")()
	env, err := infra.Up(ctx, infra.Config{
		Runtime: h.runtime, Target: target, Run: id, Out: dir, Keep: keep, Supervisor: supervisor, Making: h.making(o),
		Report: func(step string) {
			fmt.Fprintf(h.cfg.Progress, "  %5.1fs  %s\n", time.Since(begun).Seconds(), step)
		},
	})
	if err != nil {
		return nil, err
	}
	return env, nil
}

// supervisor is the path of the program with which etcd and API server can be restarted.
func (h *Harness) supervisor(ctx context.Context) (string, error) {
	node, err := h.builder.Artifact(ctx, build.Node)
	if err != nil {
		return "", err
	}
	return filepath.Join(node.Dir, "bin", "fv-pause"), nil
}

// UpToKeep starts an environment that outlives this process.
func (h *Harness) UpToKeep(ctx context.Context, o Options) (*infra.Environment, error) {
	target, err := h.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	id := NewRunID()
	dir, err := filepath.Abs(filepath.Join(o.Out, id))
	if err != nil {
		return nil, err
	}
	return h.Up(ctx, target, o, id, dir, true)
}

// NewRunID returns an identifier that sorts by time and is unique on this machine.
func NewRunID() string {
	return time.Now().UTC().Format("20060102-150405") + "-" + strconv.FormatUint(uint64(rand.Uint32())|1<<31, 36)
}
