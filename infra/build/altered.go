package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Alteration is a module of a component with other files in it than its release has.
type Alteration struct {
	Module string            // its path
	Files  map[string][]byte // by path in the module, with slashes; files that the release lacks may be among them
}

// ModuleDir returns the folder of a module that a component is built from, fetched if need be. Nobody may write there.
func (b *Builder) ModuleDir(ctx context.Context, component, module string) (string, error) {
	folder := b.folder(component)
	r, err := readRecipe(folder)
	if err != nil {
		return "", err
	}
	if err := run(ctx, folder, r.env(), "go", "mod", "download", module); err != nil {
		return "", err
	}
	return moduleDir(ctx, r.env(), folder, module)
}

func moduleDir(ctx context.Context, env []string, folder, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Altered returns the path of the component's binary, built with the alteration if the cache lacks it. It can be given as one of
// Overrides.
func (b *Builder) Altered(ctx context.Context, component string, a Alteration) (string, error) {
	if b.given(component) != "" {
		return "", fmt.Errorf("alter %s: it is given, not built", component)
	}
	base, err := b.Key(component)
	if err != nil {
		return "", err
	}
	kind, key := component+"-altered", a.key(base)
	dir, err := b.Entry(ctx, kind, key, func(tmp string) error { return b.compileAltered(ctx, component, a, tmp) })
	if err != nil {
		return "", fmt.Errorf("build %s with another %s: %w", component, a.Module, err)
	}
	b.dropOld(kind, key)
	return filepath.Join(dir, "bin", b.program(component)), nil
}

func (a Alteration) key(base string) string {
	h := sha256.New()
	fmt.Fprintln(h, base, a.Module)
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		fmt.Fprintln(h, name, len(a.Files[name]))
		h.Write(a.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// compileAltered builds into dir/bin.
//
// Go 1.26 refuses an overlay over its module cache, which Go 1.24 takes. So the module is replaced by a link to its folder, whose
// path is not in the cache, and the overlay is over that.
func (b *Builder) compileAltered(ctx context.Context, component string, a Alteration, dir string) error {
	folder := b.folder(component)
	r, err := readRecipe(folder)
	if err != nil {
		return err
	}
	module, err := b.ModuleDir(ctx, component, a.Module)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "source")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, "module")
	if err := os.Symlink(module, link); err != nil {
		return err
	}
	if err := replaceModule(folder, tmp, a.Module, link); err != nil {
		return err
	}
	overlay, err := a.overlay(tmp, link)
	if err != nil {
		return err
	}
	return b.compile(ctx, component, r, dir, "-modfile="+filepath.Join(tmp, "go.mod"), "-overlay="+overlay)
}

// replaceModule writes the go.mod and go.sum of folder to dir, with the module replaced by what is at a path.
func replaceModule(folder, dir, module, by string) error {
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return err
	}
	if err := mod.AddReplace(module, "", by, ""); err != nil {
		return err
	}
	if data, err = mod.Format(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), data, 0o644); err != nil {
		return err
	}
	if sums := filepath.Join(folder, "go.sum"); exists(sums) {
		return copyFile(sums, filepath.Join(dir, "go.sum"), 0o644)
	}
	return nil
}

// overlay writes the files below dir, and what the go command is told of them: they stand for those of the module at link.
func (a Alteration) overlay(dir, link string) (string, error) {
	var told struct{ Replace map[string]string }
	told.Replace = map[string]string{}
	for name, text := range a.Files {
		path := filepath.Join(dir, "files", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return "", err
		}
		told.Replace[filepath.Join(link, filepath.FromSlash(name))] = path
	}
	var data bytes.Buffer
	if err := json.NewEncoder(&data).Encode(told); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data.Bytes(), 0o644)
}
