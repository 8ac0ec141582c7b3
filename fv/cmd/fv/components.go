package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// controlPlane are the components of every environment that users can give.
var controlPlane = []targets.Component{
	{Name: build.Etcd, Title: "etcd", Module: "go.etcd.io/etcd/server/v3", Variable: "ETCD"},
	{Name: build.Kubernetes, Title: "the API server (kube-apiserver)", Module: "k8s.io/kubernetes", Variable: "K8S"},
}

// givenComponents are all of which users can give an image or a binary of their own.
func givenComponents() []targets.Component {
	all := slices.Clone(controlPlane)
	for _, t := range targets.All() {
		all = append(all, t.Components...)
	}
	slices.SortFunc(all, func(a, b targets.Component) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func targetNames() string {
	var names []string
	for _, t := range targets.All() {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// dataPlanes says which each target has.
func dataPlanes() string {
	var all []string
	for _, t := range targets.All() {
		all = append(all, t.Name+" "+strings.Join(t.DataPlanes, ", "))
	}
	return strings.Join(all, "; ")
}

// extraFlags adds a flag for each part that a target can start besides its agent. The extras are nil as long as none is given.
func extraFlags(f *pflag.FlagSet, extras *[]string) {
	for _, c := range givenComponents() {
		if c.Extra == "" {
			continue
		}
		f.BoolFunc(c.Extra, c.Doc, func(s string) error {
			wanted, err := strconv.ParseBool(s)
			*extras = slices.DeleteFunc(append([]string{}, *extras...), func(e string) bool { return e == c.Extra })
			if wanted {
				*extras = append(*extras, c.Extra)
			}
			return err
		})
	}
}

// binaryFlags adds the flags by which users give binaries of their own.
func binaryFlags(f *pflag.FlagSet, binaries *map[string]string) {
	*binaries = map[string]string{}
	for _, c := range givenComponents() {
		f.Func(binaryFlag(c.Name), "run this binary instead of "+c.Title+" as pinned; a static one, unless it finds its libraries inside",
			func(path string) error {
				abs, err := filepath.Abs(path)
				if err != nil {
					return err
				}
				if info, err := os.Stat(abs); err != nil {
					return err
				} else if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
					return fmt.Errorf("%s is no program", path)
				}
				(*binaries)[c.Name] = abs
				return nil
			})
	}
}

func binaryFlag(component string) string { return component + "-binary" }

// imageVariable and commandVariable are the variables by which users name an image of a component, and its command.
func imageVariable(c targets.Component) string   { return "FV_" + c.Variable + "IMAGE" }
func commandVariable(c targets.Component) string { return "FV_" + c.Variable + "COMMAND" }

// overriddenImages are the user's own, by component.
func overriddenImages() map[string]string {
	images := map[string]string{}
	for _, c := range givenComponents() {
		if image := os.Getenv(imageVariable(c)); image != "" {
			images[c.Name] = image
		}
	}
	return images
}

// use chooses the runtime and takes the binaries that the user gave.
func (h *harness) use(o environmentOptions) error {
	info, err := targets.Find(o.target)
	if err != nil {
		return usage(err)
	}
	for _, extra := range o.extras {
		if !slices.ContainsFunc(info.Components, func(c targets.Component) bool { return c.Extra == extra }) {
			return usage(fmt.Errorf("--%s: %s has no such part", extra, info.Name))
		}
	}
	if err := h.choose(o.runtime); err != nil {
		return err
	}
	images := overriddenImages()
	for component := range images {
		if h.runtime.Name() == runtimeLocal {
			return usage(fmt.Errorf("an image of %s needs a container engine: give a binary (--%s), or use --runtime docker", component, binaryFlag(component)))
		}
		if o.binaries[component] != "" {
			return usage(fmt.Errorf("both an image and a binary of %s are given: choose one", component))
		}
	}
	h.builder.Overrides = maps.Clone(o.binaries)
	return usage(o.agent.check(info.Agent(), h.builder, o.binaries, images))
}
