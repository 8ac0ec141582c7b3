package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra/build"
)

// givenComponents are those of which users can give a binary of their own, and in what words.
var givenComponents = map[string]string{
	build.Felix:      "Felix (calico-felix)",
	build.Typha:      "Typha (calico-typha)",
	build.Etcd:       "etcd",
	build.Kubernetes: "the API server (kube-apiserver)",
}

// binaryFlags adds the flags by which users give binaries of their own.
func binaryFlags(f *pflag.FlagSet, binaries *map[string]string) {
	*binaries = map[string]string{}
	for _, component := range slices.Sorted(maps.Keys(givenComponents)) {
		f.Func(binaryFlag(component), "run this binary instead of "+givenComponents[component]+" as pinned; a static one, unless it finds its libraries inside",
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
				(*binaries)[component] = abs
				return nil
			})
	}
}

func binaryFlag(component string) string { return component + "-binary" }

// use chooses the runtime and takes the binaries that the user gave.
func (h *harness) use(o environmentOptions) error {
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
	return usage(o.agent.check(h.builder, o.binaries, images))
}
