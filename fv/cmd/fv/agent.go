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

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
)

// agentOptions choose the agent's release, and what it brings for the API server.
type agentOptions infra.Choice

func (a *agentOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&a.Release, "felix-version", "", "build this release of Felix from its module: v3.30.1 or v3.31.0 (default v3.31.0)")
	f.Func("felix-source", "build Felix from this checkout of Calico's repository, and take its CRDs and its role from there", pathTo(&a.Source, true))
	f.Func("crds", "folder, or file, with the agent's CRDs and, if it is there, its role (ClusterRole calico-node): of the release whose binary or image is given; image:PATH takes it from the agent's image", func(s string) error {
		if from, ok := strings.CutPrefix(s, inImage); ok && path.IsAbs(from) {
			a.CRDs = s
			return nil
		}
		return pathTo(&a.CRDs, false)(s)
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
	for _, o := range []struct{ flag, value string }{{"--felix-version", a.Release}, {"--felix-source", a.Source}, {"--crds", a.CRDs}} {
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
		{"--felix-version", a.Release}, {"--felix-source", a.Source}, {"--felix-binary", binaries[build.Felix]}, {"FV_FELIXIMAGE", images[build.Felix]},
	} {
		if o.value != "" {
			chosen = append(chosen, o.option)
		}
	}
	if len(chosen) > 1 {
		return fmt.Errorf("%s and %s both choose the agent: give one", chosen[0], chosen[1])
	}
	if a.Source != "" && a.CRDs != "" {
		return errors.New("--felix-source brings its CRDs along: leave --crds out")
	}
	if strings.HasPrefix(a.CRDs, inImage) && images[build.Felix] == "" {
		return fmt.Errorf("--crds %s: there is no image of the agent's: name it in FV_FELIXIMAGE", a.CRDs)
	}
	if a.Release == "" {
		return nil
	}
	return b.Choose(build.Felix, a.Release)
}

// buildCheckout builds the agent from the checkout, if one was given.
func (h *harness) buildCheckout(ctx context.Context, o environmentOptions) error {
	if o.agent.Source == "" {
		return nil
	}
	made, err := h.builder.FromSource(ctx, build.Felix, o.agent.Source)
	if err != nil {
		return err
	}
	h.builder.Overrides[build.Felix], h.manifests = made.Binary, made.Exports
	return nil
}

// making is how an environment with these options is made.
func (h *harness) making(o environmentOptions) infra.Making {
	return infra.Making{Runtime: h.runtime.Name(), Binaries: h.builder.Overrides, Agent: infra.Choice(o.agent)}
}

// agentManifests are those of the checkout, those that were given, or else of the release that is built, whoever's binary or image is run.
func (h *harness) agentManifests(ctx context.Context, o environmentOptions) ([]string, error) {
	if h.manifests != nil {
		return h.manifests, nil
	}
	if from, ok := strings.CutPrefix(o.agent.CRDs, inImage); ok {
		dir, err := h.docker.Images.Files(ctx, build.Felix, from)
		return []string{dir}, err
	}
	if o.agent.CRDs != "" {
		return []string{o.agent.CRDs}, nil
	}
	felix, err := h.builder.Artifact(ctx, build.Felix)
	return []string{filepath.Join(felix.Dir, "manifests")}, err
}
