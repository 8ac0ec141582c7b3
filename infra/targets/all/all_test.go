package all

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// TestGenericCodeNamesNoTarget holds that what is one target's own stands in its package: nothing else names it, its parts or what it makes.
func TestGenericCodeNamesNoTarget(t *testing.T) {
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`(?i)felix|typha|calico|\bcali\b|kube-?router|\bcontour\b`)
	own := []string{filepath.Join(root, "infra", "targets"), filepath.Join(root, "docker")}
	seen := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (own[0] == path || own[1] == path || strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if words.MatchString(strings.ReplaceAll(line, "infra/targets/all", "")) {
				t.Errorf("%s:%d: %s", path, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestTargets(t *testing.T) {
	if _, err := targets.Find(Default); err != nil {
		t.Error(err)
	}
	for _, i := range targets.All() {
		target, err := targets.New(i.Name, targets.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if i.Agent().Name != i.Name || target.Name() != i.Name || target.Facts().Name != i.Name {
			t.Errorf("%s: its agent is %s, it says %s and %s", i.Name, i.Agent().Name, target.Name(), target.Facts().Name)
		}
		root, err := build.FindRoot(".")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range i.Components {
			if _, err := os.Stat(filepath.Join(root, "docker", c.Name, "Dockerfile")); err != nil || c.Title == "" || (c.Module == "") != c.Given || c.Variable == "" || (c.Extra == "") != (c.Doc == "") {
				t.Errorf("component %+v: %v", c, err)
			}
		}
	}
	if _, err := targets.New("flannel", targets.Options{}); err == nil || !strings.Contains(err.Error(), Default) {
		t.Errorf("an unknown target: %v", err)
	}
	if _, err := targets.New(Default, targets.Options{DataPlane: "ebpf"}); err == nil || !strings.Contains(err.Error(), "nftables") {
		t.Errorf("an unknown data plane: %v", err)
	}
}
