package harness

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
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

	Settings []workloads.Setting
	Env      map[string]string // more of the agent's environment
	Memory   int64             // limit on the agent's memory

	Restartable bool // etcd and API server can be restarted by the driver
}

// InImage begins the place of CRDs that is a path in the agent's image.
const InImage = "image:"

// Check refuses options that can't be, as far as that can be known without a look at the machine's runtimes. Images are the user's own,
// by component. That the options are wrong is a usage error.
func (o Options) Check(images map[string]string) error {
	info, err := targets.Find(o.Target)
	if err != nil {
		return usage(fmt.Errorf("--target: %w", err))
	}
	if o.DataPlane != "" && !slices.Contains(info.DataPlanes, o.DataPlane) {
		return usage(fmt.Errorf("--dataplane %q: %s has %s", o.DataPlane, info.Name, strings.Join(info.DataPlanes, ", ")))
	}
	for _, extra := range o.Extras {
		if !slices.ContainsFunc(info.Components, func(c targets.Component) bool { return c.Extra == extra }) {
			return usage(fmt.Errorf("--%s: %s has no such part", extra, info.Name))
		}
	}
	for _, c := range info.Components {
		if c.Given && slices.Contains(o.Extras, c.Extra) && o.Binaries[c.Name] == "" && images[c.Name] == "" {
			return usage(fmt.Errorf("--%s: nodefv builds no %s: give one by --%s, or an image by %s", c.Extra, c.Title, BinaryFlag(c.Name), ImageVariable(c)))
		}
	}
	if !slices.Contains([]string{"", RuntimeAuto, RuntimeDocker, RuntimeLocal}, o.Runtime) {
		return usage(unknownRuntime(o.Runtime))
	}
	for _, c := range Components() {
		switch path := o.Binaries[c.Name]; {
		case path == "":
		case images[c.Name] != "":
			return usage(fmt.Errorf("both an image and a binary of %s are given: choose one", c.Name))
		case c.Module != "" && !isProgramOf(path, c.Module):
			return usage(fmt.Errorf("--%s %s: that is another program than %s: give one that is built from %s", BinaryFlag(c.Name), path, c.Title, c.Module))
		}
	}
	var out error
	if o.Out != "" { // else the caller has a folder of its own
		out = checkOut(o.Out)
	}
	return usage(errors.Join(checkAgent(o, info.Agent(), images), out))
}

func unknownRuntime(name string) error {
	return fmt.Errorf("--runtime %q: want %s, %s or %s", name, RuntimeAuto, RuntimeDocker, RuntimeLocal)
}

// CheckOut refuses a place for records in which no folder can be made.
func CheckOut(out string) error { return usage(checkOut(out)) }

func checkOut(out string) error {
	at, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	info, err := os.Stat(at)
	for errors.Is(err, os.ErrNotExist) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	switch {
	case errors.Is(err, unix.ENOTDIR), err == nil && !info.IsDir():
		return fmt.Errorf("--out %s: a file is in the way; name a folder", out)
	case err != nil:
		return fmt.Errorf("--out %s: %w", out, err)
	case unix.Access(at, unix.W_OK) != nil:
		return fmt.Errorf("--out %s: nothing can be written there; name another folder", out)
	}
	return nil
}

// use takes options that were not checked yet: it chooses the runtime, and the binaries and the release that the user gave.
func (h *Harness) use(o Options) error {
	if err := o.Check(h.cfg.Images); err != nil {
		return err
	}
	if err := h.choose(o.Runtime); err != nil {
		return err
	}
	for component := range h.cfg.Images {
		if h.runtime.Name() == RuntimeLocal {
			return usage(fmt.Errorf("an image of %s needs a container engine: give a binary (--%s), or use --runtime docker", component, BinaryFlag(component)))
		}
	}
	h.builder.Overrides = map[string]string{}
	maps.Copy(h.builder.Overrides, o.Binaries)
	if o.Agent.Release == "" {
		return nil
	}
	return usage(h.builder.Choose(o.Agent.Component, o.Agent.Release))
}

// checkAgent refuses two agents at once, and a release that nobody can build.
func checkAgent(o Options, agent targets.Component, images map[string]string) error {
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
	case a.Release != "" && !slices.Contains(agent.Releases, a.Release):
		return fmt.Errorf("--%s %q: there are %s; others are built from a checkout (--%s)", VersionFlag(agent), a.Release,
			strings.Join(agent.Releases, ", "), SourceFlag(agent))
	}
	return nil
}

// withAllExtras are the options of a target with everything that it can start and that is built.
func withAllExtras(target string) (Options, error) {
	info, err := targets.Find(target)
	if err != nil {
		return Options{}, usage(err)
	}
	o := Options{Target: target}
	for _, c := range info.Components {
		if !c.Given {
			o.Extras = append(o.Extras, c.Extra)
		}
	}
	return o, nil
}
