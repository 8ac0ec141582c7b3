package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Choose makes the builder build that release of a component. Those that it knows are the one that the component's folder pins, and each that
// has a folder of its own beside it, named after both, with a hyphen between.
func (b *Builder) Choose(component, release string) error {
	pinned, err := readRecipe(filepath.Join(b.Root, "docker", component))
	if err != nil {
		return fmt.Errorf("releases of %s: %w", component, err)
	}
	known := []string{pinned.Release}
	others, err := filepath.Glob(filepath.Join(b.Root, "docker", component+"-*"))
	if err != nil {
		return fmt.Errorf("releases of %s: %w", component, err)
	}
	for _, folder := range others {
		known = append(known, strings.TrimPrefix(filepath.Base(folder), component+"-"))
	}
	switch {
	case release == pinned.Release:
		return nil
	case !slices.Contains(known, release):
		slices.Sort(known)
		return fmt.Errorf("no release %s of %s is built from modules; there are: %s. Others are built from a checkout (--%s-source)", release, component,
			strings.Join(known, ", "), component)
	}
	if b.Releases == nil {
		b.Releases = map[string]string{}
	}
	b.Releases[component] = release
	return nil
}

// Release returns the release of a component that is built, as people know it; empty: its recipe does not say.
func (b *Builder) Release(component string) string {
	r, err := readRecipe(b.folder(component))
	if err != nil {
		return "" // the build tells
	}
	return r.Release
}

// Checkout is a component as built from a checkout of its repository.
type Checkout struct {
	Binary  string   // which the cache keeps until the next build from the same folder
	Exports []string // the files of the checkout that others need
}

// FromSource builds a component from a checkout, an absolute path, with the Go release that its go.mod names. What it logs as its version is what git calls
// the checkout.
func (b *Builder) FromSource(ctx context.Context, component, dir string) (Checkout, error) {
	r, err := readRecipe(b.folder(component))
	if err != nil {
		return Checkout{}, err
	}
	if r.Package == "" {
		return Checkout{}, fmt.Errorf("%s can't be built from a checkout", component)
	}
	var c Checkout
	for _, e := range r.Exports {
		files, err := e.in(dir)
		if err != nil {
			return c, fmt.Errorf("%s is no checkout of %s: %w", dir, component, err)
		}
		c.Exports = append(c.Exports, files...)
	}
	if r.Toolchain, err = toolchainOf(filepath.Join(dir, "go.mod")); err != nil {
		return c, fmt.Errorf("%s is no checkout of %s: %w", dir, component, err)
	}
	c.Binary, err = b.compileCheckout(ctx, component, dir, r)
	if err != nil {
		return c, fmt.Errorf("build %s from %s: %w", component, dir, err)
	}
	return c, nil
}

func (b *Builder) compileCheckout(ctx context.Context, component, dir string, r recipe) (binary string, err error) {
	folder, err := b.cacheDir(filepath.Join(component+"-source", fmt.Sprintf("%x", sha256.Sum256([]byte(dir)))[:16]))
	if err != nil {
		return "", err
	}
	unlock, err := b.lock(ctx, component, folder+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	b.building.Lock()
	defer b.building.Unlock()
	defer b.Step(component, "go build "+r.Package+" in "+dir)()
	if version := describe(ctx, dir); version != "" {
		for name := range r.Stamps {
			if strings.HasSuffix(name, ".Version") {
				r.Stamps = map[string]string{name: version}
			}
		}
	} else {
		r.Stamps = nil
	}
	binary = filepath.Join(folder, filepath.Base(r.Package))
	args := append(append([]string{"build"}, strings.Fields(buildFlags)...), "-ldflags", r.ldflags(), "-o", binary, r.Package)
	return binary, run(ctx, dir, r.env(), "go", args...)
}

// describe is what git calls the checkout, or nothing.
func describe(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

var goLine = regexp.MustCompile(`(?m)^(?:toolchain go|go )(\d+\.\d+\.\d+)$`)

// toolchainOf is the Go release that a go.mod asks for; empty if it names no more than a language version.
func toolchainOf(mod string) (string, error) {
	data, err := os.ReadFile(mod)
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("it has no go.mod")
	}
	if err != nil {
		return "", err
	}
	found := goLine.FindAllStringSubmatch(string(data), -1)
	if len(found) == 0 {
		return "", nil
	}
	return "go" + found[len(found)-1][1], nil
}
