package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	b := project(t, "package main\nfunc main() {}\n")
	write(t, b.Root, "docker/tool/recipe.json", `{"release": "v2"}`)
	write(t, b.Root, "docker/tool-v1/Dockerfile", "FROM scratch\n")
	pinned := key(t, b, "tool")
	if err := b.Choose("tool", "v2"); err != nil || key(t, b, "tool") != pinned {
		t.Errorf("the pinned release: %v, another key %v", err, key(t, b, "tool") != pinned)
	}
	if err := b.Choose("tool", "v3"); err == nil || !strings.Contains(err.Error(), "there are: v1, v2.") {
		t.Errorf("a release that there is not: %v", err)
	}
	if err := b.Choose("tool", "v1"); err != nil || key(t, b, "tool") == pinned {
		t.Errorf("another release: %v, the same key %v", err, key(t, b, "tool") == pinned)
	}
}

func TestFromSource(t *testing.T) {
	b, dir := project(t, "package main\nfunc main() {}\n"), t.TempDir()
	write(t, b.Root, "docker/tool/recipe.json", `{"package": "./cmd/the-tool", "exports": [{"module": "example.com/tool", "files": "crds/*.yaml", "dir": "manifests"}]}`)
	if _, err := b.FromSource(t.Context(), "tool", dir); err == nil || !strings.Contains(err.Error(), "is no checkout of tool") {
		t.Errorf("an empty folder: %v", err)
	}
	write(t, dir, "go.mod", "module example.com/tool\n\ngo 1.24\n")
	write(t, dir, "crds/a.yaml", "kind: A\n")
	write(t, dir, "cmd/the-tool/main.go", "package main\nfunc main() {}\n")
	made, err := b.FromSource(t.Context(), "tool", dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made.Binary); err != nil || info.Mode()&0o111 == 0 || filepath.Base(made.Binary) != "the-tool" {
		t.Errorf("binary %s: %v", made.Binary, err)
	}
	if len(made.Exports) != 1 || made.Exports[0] != filepath.Join(dir, "crds/a.yaml") {
		t.Errorf("exports %v", made.Exports)
	}
	write(t, dir, "cmd/the-tool/main.go", "this does not compile")
	if _, err := b.FromSource(t.Context(), "tool", dir); err == nil {
		t.Error("what does not compile is no error")
	}
}

func TestToolchainOf(t *testing.T) {
	for text, want := range map[string]string{
		"module a\n\ngo 1.25.9\n": "go1.25.9", "module a\n\ngo 1.25\n": "", "module a\n\ngo 1.25.0\n\ntoolchain go1.25.9\n": "go1.25.9",
	} {
		mod := filepath.Join(t.TempDir(), "go.mod")
		if err := os.WriteFile(mod, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := toolchainOf(mod); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}
