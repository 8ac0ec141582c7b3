package build

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Every component is built alike: static, reproducible, without symbols.
const (
	buildFlags = "-mod=readonly -trimpath -buildvcs=false"
	ldflags    = "-s -w"
)

var buildEnv = []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "GOWORK=off", "GOFLAGS="}

// recipe is what go.mod can't say of a component's build: its recipe.json.
type recipe struct {
	Release   string            `json:"release"`   // as people know the version
	Main      string            `json:"main"`      // import path of the program; empty: the component's folder is one
	Package   string            `json:"package"`   // that is built, in a checkout of the module
	Toolchain string            `json:"toolchain"` // the Go release that builds it, fetched if need be; empty: the machine's
	Stamps    map[string]string `json:"stamps"`    // variables that the linker sets, by import path and name
	Links     []string          `json:"links"`     // more names of the binary
	Exports   []export          `json:"exports"`   // files of modules that others need
}

// env is the environment of every go command that works on the component.
func (r recipe) env() []string {
	if r.Toolchain == "" {
		return buildEnv
	}
	return append([]string{"GOTOOLCHAIN=" + r.Toolchain}, buildEnv...)
}

type export struct {
	Module string `json:"module"`
	Files  string `json:"files"` // pattern in the module's folder
	Dir    string `json:"dir"`   // where they go in the artifact
}

// compile builds the component's module into dir/bin, with these flags besides those of every component.
func (b *Builder) compile(ctx context.Context, component string, r recipe, dir string, flags ...string) error {
	b.building.Lock()
	defer b.building.Unlock()
	defer b.Step(component, "go build")()
	args := append([]string{"build"}, strings.Fields(buildFlags)...)
	args = append(args, flags...)
	args = append(args, "-ldflags", r.ldflags(), "-o", filepath.Join(dir, "bin")+string(filepath.Separator), cmp.Or(r.Main, "."))
	// What a killed compiler leaves goes where the half-built artifact goes.
	env := append([]string{"GOTMPDIR=" + dir}, r.env()...)
	return run(ctx, b.folder(component), env, "go", args...)
}

func readRecipe(folder string) (recipe, error) {
	var r recipe
	data, err := os.ReadFile(filepath.Join(folder, "recipe.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read recipe.json: %w", err)
	}
	return r, nil
}

func (r recipe) ldflags() string {
	flags := []string{ldflags}
	for name, value := range r.Stamps {
		flags = append(flags, fmt.Sprintf("-X %s=%s", name, value))
	}
	slices.Sort(flags[1:])
	return strings.Join(flags, " ")
}

// finish adds to an artifact what the recipe wants besides the binary.
func (r recipe) finish(ctx context.Context, folder, dir string) error {
	if err := r.link(filepath.Join(dir, "bin")); err != nil {
		return err
	}
	for _, e := range r.Exports {
		if err := e.copy(ctx, r.env(), folder, dir); err != nil {
			return fmt.Errorf("export %s of %s: %w", e.Files, e.Module, err)
		}
	}
	return nil
}

func (r recipe) link(bin string) error {
	if len(r.Links) == 0 {
		return nil
	}
	made, err := os.ReadDir(bin)
	if err != nil {
		return err
	}
	for _, name := range r.Links {
		if err := os.Symlink(made[0].Name(), filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return nil
}

func (e export) copy(ctx context.Context, env []string, folder, dir string) error {
	module, err := moduleDir(ctx, env, folder, e.Module)
	if err != nil {
		return err
	}
	files, err := e.in(module)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := copyFile(file, filepath.Join(dir, e.Dir, filepath.Base(file)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// in lists the files in a folder of the module.
func (e export) in(module string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(e.Files)))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no files %s", module, e.Files)
	}
	return files, err
}
