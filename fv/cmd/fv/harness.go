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
	"github.com/nodefv/nodefv/infra/runtimes"
	"github.com/nodefv/nodefv/infra/targets"
)

// harness is what every command that touches an environment shares.
type harness struct {
	builder *build.Builder
	docker  *runtimes.Docker
}

// newHarness reaches the container engine; a machine that lacks something is a usage error.
func newHarness(ctx context.Context) (*harness, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, usage(err)
	}
	builder := &build.Builder{Root: root, Report: reportBuild}
	docker, err := runtimes.NewDocker(ctx, builder, overriddenImages())
	if err != nil {
		return nil, usage(err)
	}
	return &harness{builder: builder, docker: docker}, nil
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

// prepare builds the images that an environment needs.
func (h *harness) prepare(ctx context.Context, o environmentOptions) error {
	if err := h.haveDriver(); err != nil {
		return usage(err)
	}
	components := []string{build.Etcd, build.Kubernetes, build.Node, build.Felix, build.Driver}
	if o.typha {
		components = append(components, build.Typha)
	}
	for _, c := range components {
		if _, err := h.docker.Images.Ensure(ctx, c); err != nil {
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
	felix, err := h.builder.Artifact(ctx, build.Felix) // its CRDs, whoever's image is run
	if err != nil {
		return nil, usage(err)
	}
	target, err := targets.New(o.target, targets.Options{
		DataPlane: o.dataplane, Typha: o.typha, CRDs: filepath.Join(felix.Dir, "crd"), Command: strings.Fields(os.Getenv("FV_FELIXCOMMAND")),
		Settings: o.settings, Memory: o.memory,
	})
	return target, usage(err)
}

// sweepOrphans removes what runs left behind whose maker is gone and that nobody asked to keep.
func (h *harness) sweepOrphans(ctx context.Context) error {
	runs, err := h.docker.Runs(ctx)
	if err != nil {
		return usage(err)
	}
	for _, r := range runs {
		if infra.Kept(r.Run) || !r.Owner.Gone(r.Created) {
			continue
		}
		fmt.Fprintf(os.Stderr, "removing what run %s left behind (%d containers)\n", r.Run, r.Containers)
		if err := errors.Join(h.docker.Sweep(ctx, r.Run), infra.Forget(r.Run)); err != nil {
			return err
		}
	}
	return infra.ForgetGone(runs)
}
