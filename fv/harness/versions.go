package harness

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/mod/modfile"

	"github.com/nodefv/nodefv/infra/targets"
)

// versions returns what each component of a target's environment is: the image or binary that the user gave, or the release that is built from
// modules.
func (h *Harness) versions(target string) map[string]string {
	versions := map[string]string{"go": runtime.Version()}
	given := h.cfg.Images
	components := slices.Clone(controlPlane)
	if info, err := targets.Find(target); err == nil { // else nothing has been started
		components = append(components, info.Components...)
	}
	for _, c := range components {
		component, module := c.Name, c.Module
		if image, ok := given[component]; ok {
			versions[component] = image
			continue
		}
		if binary, ok := h.builder.Overrides[component]; ok {
			versions[component] = identified(binary)
			continue
		}
		if release := h.builder.Release(component); release != "" {
			versions[component] = release
			continue
		}
		path := filepath.Join(h.builder.Root, "docker", component, "go.mod")
		data, err := os.ReadFile(path)
		if err != nil {
			continue // the build has told
		}
		file, err := modfile.ParseLax(path, data, nil)
		if err != nil {
			continue
		}
		for _, r := range file.Require {
			if r.Mod.Path == module {
				versions[component] = r.Mod.Version
			}
		}
	}
	return versions
}

// given reports whether the user gave a component, as an image or as a binary.
func (h *Harness) given(component string) bool {
	_, image := h.cfg.Images[component]
	_, binary := h.builder.Overrides[component]
	return image || binary
}

// identified is a program's path with what tells it from another that was there before.
func identified(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return path
	}
	defer func() { _ = file.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return path
	}
	return fmt.Sprintf("%s (sha256 %.6x)", path, sum.Sum(nil))
}
