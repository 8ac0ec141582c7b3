package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// Options choose what is started.
type Options struct {
	Target    string
	DataPlane string
	Extras    []string // words of what the target starts besides the agent; nil: not said
	Out       string   // folder for records
	Runtime   string
	Binaries  map[string]string // the user's own, by component
	Agent     infra.Choice

	Settings []string          // words for the agent's behaviour
	Env      map[string]string // more of the agent's environment
	Memory   int64             // limit on the agent's memory
}

// InImage begins the place of CRDs that is a path in the agent's image.
const InImage = "image:"

// use chooses the runtime and takes the binaries that the user gave.
func (h *Harness) use(o Options) error {
	info, err := targets.Find(o.Target)
	if err != nil {
		return usage(err)
	}
	for _, extra := range o.Extras {
		if !slices.ContainsFunc(info.Components, func(c targets.Component) bool { return c.Extra == extra }) {
			return usage(fmt.Errorf("--%s: %s has no such part", extra, info.Name))
		}
	}
	if err := h.choose(o.Runtime); err != nil {
		return err
	}
	for component := range h.cfg.Images {
		if h.runtime.Name() == RuntimeLocal {
			return usage(fmt.Errorf("an image of %s needs a container engine: give a binary (--%s), or use --runtime docker", component, BinaryFlag(component)))
		}
		if o.Binaries[component] != "" {
			return usage(fmt.Errorf("both an image and a binary of %s are given: choose one", component))
		}
	}
	h.builder.Overrides = map[string]string{}
	maps.Copy(h.builder.Overrides, o.Binaries)
	return usage(checkAgent(o, info.Agent(), h.builder, h.cfg.Images))
}

// checkAgent refuses two agents at once, and makes the builder build the one that was chosen.
func checkAgent(o Options, agent targets.Component, b *build.Builder, images map[string]string) error {
	a := o.Agent
	var chosen []string
	for _, c := range []struct{ option, value string }{
		{"--" + VersionFlag(agent), a.Release}, {"--" + SourceFlag(agent), a.Source}, {"--" + BinaryFlag(agent.Name), o.Binaries[agent.Name]},
		{ImageVariable(agent), images[agent.Name]},
	} {
		if c.value != "" {
			chosen = append(chosen, c.option)
		}
	}
	switch {
	case a.Component != "" && a.Component != agent.Name:
		return fmt.Errorf("a release of %s is chosen, and %s is tested: choose it with --target", a.Component, agent.Name)
	case len(chosen) > 1:
		return fmt.Errorf("%s and %s both choose the agent: give one", chosen[0], chosen[1])
	case a.Source != "" && a.CRDs != "":
		return fmt.Errorf("--%s brings its CRDs along: leave --crds out", SourceFlag(agent))
	case a.CRDs != "" && !agent.CRDs:
		return fmt.Errorf("--crds: %s has none", agent.Name)
	case strings.HasPrefix(a.CRDs, InImage) && images[agent.Name] == "":
		return fmt.Errorf("--crds %s: there is no image of the agent's: name it in %s", a.CRDs, ImageVariable(agent))
	case a.Release == "":
		return nil
	}
	return b.Choose(agent.Name, a.Release)
}

// withAllExtras are the options of a target with everything that it can start.
func withAllExtras(target string) (Options, error) {
	info, err := targets.Find(target)
	if err != nil {
		return Options{}, usage(err)
	}
	o := Options{Target: target}
	for _, c := range info.Components {
		o.Extras = append(o.Extras, c.Extra)
	}
	return o, nil
}
