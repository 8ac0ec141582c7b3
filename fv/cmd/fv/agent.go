package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra/build"
)

// agentOptions choose the agent's release, and what it brings for the API server.
type agentOptions struct {
	release string
	source  string // checkout, an absolute path
	crds    string // folder or file, an absolute path, or inImage and a path in the agent's image
}

func (a *agentOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&a.release, "felix-version", "", "build this release of Felix from its module: v3.30.1 or v3.31.0 (default v3.31.0)")
	f.Func("felix-source", "build Felix from this checkout of Calico's repository, and take its CRDs and its role from there", pathTo(&a.source, true))
	f.Func("crds", "folder, or file, with the agent's CRDs and, if it is there, its role (ClusterRole calico-node): of the release whose binary or image is given; image:PATH takes it from the agent's image", func(s string) error {
		if from, ok := strings.CutPrefix(s, inImage); ok && path.IsAbs(from) {
			a.crds = s
			return nil
		}
		return pathTo(&a.crds, false)(s)
	})
}

// inImage stands before a path in the agent's image.
const inImage = "image:"

// pathTo makes a flag's value an absolute path of something that is there.
func pathTo(to *string, folder bool) func(string) error {
	return func(path string) error {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		info, err := os.Stat(abs)
		if err != nil {
			return err
		}
		if folder && !info.IsDir() {
			return fmt.Errorf("%s is no folder", path)
		}
		*to = abs
		return nil
	}
}

// words are the options that choose the same again.
func (a *agentOptions) words() []string {
	var words []string
	for _, o := range []struct{ flag, value string }{{"--felix-version", a.release}, {"--felix-source", a.source}, {"--crds", a.crds}} {
		if o.value != "" {
			words = append(words, o.flag, "'"+o.value+"'")
		}
	}
	return words
}

// check refuses two agents at once, and makes the builder build the one that was chosen.
func (a *agentOptions) check(b *build.Builder, binaries, images map[string]string) error {
	var chosen []string
	for _, o := range []struct{ option, value string }{
		{"--felix-version", a.release}, {"--felix-source", a.source}, {"--felix-binary", binaries[build.Felix]}, {"FV_FELIXIMAGE", images[build.Felix]},
	} {
		if o.value != "" {
			chosen = append(chosen, o.option)
		}
	}
	if len(chosen) > 1 {
		return fmt.Errorf("%s and %s both choose the agent: give one", chosen[0], chosen[1])
	}
	if a.source != "" && a.crds != "" {
		return errors.New("--felix-source brings its CRDs along: leave --crds out")
	}
	if strings.HasPrefix(a.crds, inImage) && images[build.Felix] == "" {
		return fmt.Errorf("--crds %s: there is no image of the agent's: name it in FV_FELIXIMAGE", a.crds)
	}
	if a.release == "" {
		return nil
	}
	return b.Choose(build.Felix, a.release)
}

// buildCheckout builds the agent from the checkout, if one was given.
func (h *harness) buildCheckout(ctx context.Context, o environmentOptions) error {
	if o.agent.source == "" {
		return nil
	}
	made, err := h.builder.FromSource(ctx, build.Felix, o.agent.source)
	if err != nil {
		return err
	}
	h.builder.Overrides[build.Felix], h.manifests = made.Binary, made.Exports
	return nil
}

// agentManifests are those of the checkout, those that were given, or else of the release that is built, whoever's binary or image is run.
func (h *harness) agentManifests(ctx context.Context, o environmentOptions) ([]string, error) {
	if h.manifests != nil {
		return h.manifests, nil
	}
	if from, ok := strings.CutPrefix(o.agent.crds, inImage); ok {
		dir, err := h.docker.Images.Files(ctx, build.Felix, from)
		return []string{dir}, err
	}
	if o.agent.crds != "" {
		return []string{o.agent.crds}, nil
	}
	felix, err := h.builder.Artifact(ctx, build.Felix)
	return []string{filepath.Join(felix.Dir, "manifests")}, err
}
