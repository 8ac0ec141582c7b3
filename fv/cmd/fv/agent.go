package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// agentOptions choose the agent's release, and what it brings for the API server.
type agentOptions infra.Choice

func (a *agentOptions) flags(f *pflag.FlagSet) {
	for _, t := range targets.All() {
		c := t.Agent()
		if n := len(c.Releases); n > 0 {
			f.Func(versionFlag(c), fmt.Sprintf("build this release of %s from its module: %s (default %s)", c.Title, strings.Join(c.Releases, " or "), c.Releases[n-1]), func(s string) error {
				a.Component, a.Release = c.Name, s
				return nil
			})
		}
		if c.Checkout {
			f.Func(sourceFlag(c), "build "+c.Title+" from this checkout of its repository, and take its CRDs and its role from there", func(s string) error {
				a.Component = c.Name
				return pathTo(&a.Source, true)(s)
			})
		}
	}
	f.Func("crds", "folder, or file, with the agent's CRDs and, if it is there, its role: of the release whose binary or image is given; image:PATH takes it from the agent's image", func(s string) error {
		if from, ok := strings.CutPrefix(s, inImage); ok && path.IsAbs(from) {
			a.CRDs = s
			return nil
		}
		return pathTo(&a.CRDs, false)(s)
	})
}

func versionFlag(c targets.Component) string { return c.Name + "-version" }
func sourceFlag(c targets.Component) string  { return c.Name + "-source" }

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
	c := targets.Component{Name: a.Component}
	for _, o := range []struct{ flag, value string }{{versionFlag(c), a.Release}, {sourceFlag(c), a.Source}, {"crds", a.CRDs}} {
		if o.value != "" {
			words = append(words, "--"+o.flag, "'"+o.value+"'")
		}
	}
	return words
}

// check refuses two agents at once, and makes the builder build the one that was chosen.
func (a *agentOptions) check(agent targets.Component, b *build.Builder, binaries, images map[string]string) error {
	var chosen []string
	for _, o := range []struct{ option, value string }{
		{"--" + versionFlag(agent), a.Release}, {"--" + sourceFlag(agent), a.Source}, {"--" + binaryFlag(agent.Name), binaries[agent.Name]},
		{imageVariable(agent), images[agent.Name]},
	} {
		if o.value != "" {
			chosen = append(chosen, o.option)
		}
	}
	switch {
	case a.Component != "" && a.Component != agent.Name:
		return fmt.Errorf("a release of %s is chosen, and %s is tested: choose it with --target", a.Component, agent.Name)
	case len(chosen) > 1:
		return fmt.Errorf("%s and %s both choose the agent: give one", chosen[0], chosen[1])
	case a.Source != "" && a.CRDs != "":
		return fmt.Errorf("--%s brings its CRDs along: leave --crds out", sourceFlag(agent))
	case a.CRDs != "" && !agent.CRDs:
		return fmt.Errorf("--crds: %s has none", agent.Name)
	case strings.HasPrefix(a.CRDs, inImage) && images[agent.Name] == "":
		return fmt.Errorf("--crds %s: there is no image of the agent's: name it in %s", a.CRDs, imageVariable(agent))
	case a.Release == "":
		return nil
	}
	return b.Choose(agent.Name, a.Release)
}

// buildCheckout builds the agent from the checkout, if one was given.
func (h *harness) buildCheckout(ctx context.Context, o environmentOptions) error {
	if o.agent.Source == "" {
		return nil
	}
	made, err := h.builder.FromSource(ctx, o.agent.Component, o.agent.Source)
	if err != nil {
		return err
	}
	h.builder.Overrides[o.agent.Component], h.manifests = made.Binary, made.Exports
	return nil
}

// making is how an environment with these options is made.
func (h *harness) making(o environmentOptions) infra.Making {
	return infra.Making{Runtime: h.runtime.Name(), Binaries: h.builder.Overrides, Agent: infra.Choice(o.agent)}
}

// agentManifests are those of the checkout, those that were given, or else of the release that is built, whoever's binary or image is run.
func (h *harness) agentManifests(ctx context.Context, agent targets.Component, o environmentOptions) ([]string, error) {
	if !agent.CRDs {
		return nil, nil
	}
	if h.manifests != nil {
		return h.manifests, nil
	}
	if from, ok := strings.CutPrefix(o.agent.CRDs, inImage); ok {
		dir, err := h.docker.Images.Files(ctx, agent.Name, from)
		return []string{dir}, err
	}
	if o.agent.CRDs != "" {
		return []string{o.agent.CRDs}, nil
	}
	built, err := h.builder.Artifact(ctx, agent.Name)
	return []string{filepath.Join(built.Dir, "manifests")}, err
}
