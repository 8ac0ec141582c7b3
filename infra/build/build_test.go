package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const goodMain = "package main\n\nvar version string\n\nfunc main() { println(version) }\n"

// project returns a Builder of a project with one component, "tool".
func project(t *testing.T, main string) *Builder {
	t.Helper()
	b := &Builder{Root: t.TempDir(), Cache: t.TempDir()}
	write(t, b.Root, "docker/tool/Dockerfile", "FROM scratch\n")
	write(t, b.Root, "docker/tool/go.mod", "module example.org/docker/the-tool\n\ngo 1.26\n")
	write(t, b.Root, "docker/tool/main.go", main)
	return b
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func key(t *testing.T, b *Builder, component string) string {
	t.Helper()
	k, err := b.Key(component)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyFollowsTheSources(t *testing.T) {
	b, other := project(t, goodMain), project(t, goodMain)
	first := key(t, b, "tool")
	if key(t, b, "tool") != first || key(t, other, "tool") != first {
		t.Error("equal sources have different keys")
	}
	seen := []string{first}
	for _, name := range []string{"main.go", "go.mod", "go.sum", "Dockerfile", "recipe.json", "sub/more.go"} {
		write(t, b.Root, "docker/tool/"+name, `{"toolchain": "go1.99"}`)
		k := key(t, b, "tool")
		if slices.Contains(seen, k) {
			t.Errorf("%s does not change the key", name)
		}
		seen = append(seen, k)
	}
}

func TestKeyOfTheDriverFollowsTheBinary(t *testing.T) {
	b := project(t, goodMain)
	if _, err := b.Key(Driver); err == nil || !strings.Contains(err.Error(), "go test -c") {
		t.Errorf("without a driver: %v", err)
	}
	write(t, b.Root, "bin/fv.test", "one")
	one := key(t, b, Driver)
	write(t, b.Root, "bin/fv.test", "two")
	if key(t, b, Driver) == one {
		t.Error("another binary has the same key")
	}
	a, err := b.Artifact(t.Context(), Driver)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(a.Dir, "bin/fv.test")); string(data) != "two" {
		t.Errorf("the artifact holds %q", data)
	}
}

func TestArtifactIsBuiltOnce(t *testing.T) {
	b := project(t, goodMain)
	write(t, b.Root, "docker/tool/recipe.json", `{"stamps": {"main.version": "v7"}, "links": ["alias"]}`)
	var mu sync.Mutex
	ended := map[string]int{}
	b.Report = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Done {
			ended[e.Action]++
		}
	}
	var all sync.WaitGroup
	for range 4 {
		// Builders of their own, as processes have: only the lock on the entry is between them.
		own := &Builder{Root: b.Root, Cache: b.Cache, Report: b.Report}
		all.Go(func() {
			if _, err := own.Artifact(t.Context(), "tool"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if built, waited := ended["go build"], ended["wait for another process"]; built != 1 || waited > 3 {
		t.Errorf("built %d times, waited %d times", built, waited)
	}
	a, err := b.Artifact(t.Context(), "tool")
	if err != nil {
		t.Fatal(err)
	}
	if link, _ := os.Readlink(filepath.Join(a.Dir, "bin/alias")); link != "the-tool" {
		t.Errorf("alias links to %q", link)
	}
	if _, err := os.Stat(filepath.Join(a.Dir, "Dockerfile")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(a.Dir, "main.go")); err == nil {
		t.Error("the artifact holds sources")
	}
}

func TestGivenBinaryIsNotBuilt(t *testing.T) {
	b := project(t, "this does not compile")
	write(t, b.Root, "docker/tool/recipe.json", `{"links": ["alias"]}`)
	built := key(t, b, "tool")
	write(t, b.Root, "mine", "one")
	b.Overrides = map[string]string{"tool": filepath.Join(b.Root, "mine")}
	if key(t, b, "tool") == built {
		t.Error("a given binary has the key of the one that is built")
	}
	a, err := b.Artifact(t.Context(), "tool")
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(a.Dir, "bin/alias")); string(data) != "one" {
		t.Errorf("the artifact holds %q", data)
	}
	b.Overrides["tool"] = filepath.Join(b.Root, "absent")
	if _, err := b.Artifact(t.Context(), "tool"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent binary: %v", err)
	}
}

func TestSourcesThatChangeDuringTheBuild(t *testing.T) {
	b := project(t, goodMain)
	b.Report = func(Event) { write(t, b.Root, "docker/tool/more.go", "package main\n") }
	if _, err := b.Artifact(t.Context(), "tool"); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, b)
}

func TestHalfOfAKilledBuildIsReplaced(t *testing.T) {
	b := project(t, goodMain)
	half := "tool/" + key(t, b, "tool") + partial + "123"
	write(t, b.Cache, half+"/bin/the-tool", "half")
	a, err := b.Artifact(t.Context(), "tool")
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(a.Dir, "bin/the-tool")); string(data) == "half" {
		t.Error("the half was taken for the whole")
	}
	if exists(filepath.Join(b.Cache, half)) {
		t.Error("the half is still there")
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	b := project(t, "package main\n\nfunc main() { nonsense() }\n")
	_, err := b.Artifact(t.Context(), "tool")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"go build", "-mod=readonly", "undefined: nonsense"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	wantEmpty(t, b)
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	b := project(t, goodMain)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	b.Report = func(Event) { cancel(why) }
	if _, err := b.Artifact(ctx, "tool"); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, b)
}

func wantEmpty(t *testing.T, b *Builder) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.Cache, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("left %s", e.Name())
		}
	}
}

func TestRunKillsTheChildren(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	// The child holds the output pipe: were it left, the wait would last for its sleep or the delay.
	if err := run(ctx, "/", nil, "sh", "-c", "sleep 30; true"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestNoGoInPath(t *testing.T) {
	b := project(t, goodMain)
	t.Setenv("PATH", t.TempDir())
	_, err := b.Artifact(t.Context(), "tool")
	if !errors.Is(err, errNoGo) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module "+module+"\n")
	write(t, root, "docker/tool/go.mod", "module example.org/tool\n")
	got, err := FindRoot(filepath.Join(root, "docker", "tool"))
	if err != nil || got != root {
		t.Errorf("got %q, %v", got, err)
	}
	elsewhere := t.TempDir()
	_, err = FindRoot(elsewhere)
	if err == nil || !strings.Contains(err.Error(), elsewhere) || !strings.Contains(err.Error(), "change into one") {
		t.Errorf("got %v", err)
	}
}

// TestStampedVersions keeps the versions that recipes stamp those of go.mod, which alone decides what is built.
func TestStampedVersions(t *testing.T) {
	for component, stamped := range map[string]string{
		Kubernetes: "k8s.io/component-base/version.gitVersion",
		"felix":    "github.com/projectcalico/calico/pkg/buildinfo.GitRevision",
		"typha":    "github.com/projectcalico/calico/pkg/buildinfo.GitRevision",
	} {
		folder := filepath.Join("..", "..", "docker", component)
		r, err := readRecipe(folder)
		if err != nil {
			t.Fatal(err)
		}
		mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		// A pseudo-version ends in twelve digits of the commit.
		version := r.Stamps[stamped][:min(12, len(r.Stamps[stamped]))]
		if version == "" || !strings.Contains(string(mod), version+"\n") {
			t.Errorf("%s: recipe.json stamps %q, go.mod requires another", component, version)
		}
	}
}
