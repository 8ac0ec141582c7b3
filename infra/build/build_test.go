package build

import (
	"context"
	"encoding/json"
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
		write(t, b.Root, "docker/tool/"+name, "changed")
		k := key(t, b, "tool")
		if slices.Contains(seen, k) {
			t.Errorf("%s does not change the key", name)
		}
		seen = append(seen, k)
	}
}

func TestKeyOfTheDriverFollowsTheBinary(t *testing.T) {
	b := project(t, goodMain)
	write(t, b.Root, "docker/driver/Dockerfile", "FROM base\n")
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
	ended := 0
	b.Report = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Done {
			ended++
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := b.Artifact(t.Context(), "tool"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if ended != 1 {
		t.Errorf("built %d times", ended)
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
	if err := run(ctx, "/", nil, "sh", "-c", "sleep 30 & wait"); !errors.Is(err, context.DeadlineExceeded) {
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

func TestParseSources(t *testing.T) {
	got := parseSources(`bookworm http://a/debian/ main Debian
bookworm http://a/debian/ main Debian
bookworm-security http://a/security/ main Debian
bookworm-backports http://a/debian/ main Debian
nodistro http://b/ main . nodistro
bookworm http://c/ main Other
`, "bookworm")
	want := []string{"deb http://a/debian/ bookworm main", "deb http://a/security/ bookworm-security main"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStampedVersions keeps recipe.json's version that of go.mod, which alone decides what is built.
func TestStampedVersions(t *testing.T) {
	data, err := os.ReadFile("../../docker/kubernetes/recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recipe
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../docker/kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := r.Stamps["k8s.io/component-base/version.gitVersion"]
	if !strings.Contains(string(mod), "k8s.io/kubernetes "+version+"\n") {
		t.Errorf("recipe.json stamps %s, go.mod requires another", version)
	}
}
