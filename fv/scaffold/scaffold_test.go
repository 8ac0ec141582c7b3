package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/infra/build"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ kind, called, module, says string }{
		{"kind", "policy storm", "", "there are: scenario, target, fault"},
		{"scenario", "Policy Storm", "", "write lower-case words"},
		{"scenario", "../x", "", "write lower-case words"},
		{"scenario", "", "", "write lower-case words"},
		{"target", "my-agent", "", "name the Go module"},
		{"target", "my agent", "github.com/o/p", "without spaces"},
		{"scenario", "pod churn", "", "scenarios/pod_churn.go is there already"},
	} {
		root, err := build.FindRoot(".")
		if err != nil {
			t.Fatal(err)
		}
		if written, err := New(root, c.kind, c.called, c.module); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, %v", c, written, err)
		}
	}
}

// TestNewThingsCompileAndPass begins one of each kind in a copy of the module, and runs the tests that look at them.
func TestNewThingsCompileAndPass(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a copy of the module")
	}
	root := copied(t)
	for _, c := range [][2]string{{"scenario", "policy storm"}, {"fault", "a route lost again"}, {"target", "my-agent"}} {
		module := ""
		if c[0] == "target" {
			module = "github.com/owner/my-agent"
		}
		if _, err := New(root, c[0], c[1], module); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"gofmt", "-l", "scenarios", "infra/targets"},
		{"go", "vet", "./scenarios/...", "./infra/targets/..."},
		{"go", "test", "-run", "WellFormed|Documented|Fault|Target|Agent|OneName|Caught", "./scenarios", "./scenarios/faults", "./infra/targets/all", "./infra/targets/myagent", "./fv/harness"},
	} {
		command := exec.Command(args[0], args[1:]...)
		command.Dir, command.Env = root, append(os.Environ(), "GOFLAGS=-trimpath") // so that what is compiled elsewhere serves here
		out, err := command.CombinedOutput()
		if err != nil || args[0] == "gofmt" && len(out) > 0 {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

// copied copies what belongs to the module.
func copied(t *testing.T) string {
	t.Helper()
	from, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "README.md", "Makefile", "docs", "docker", "fv", "infra", "metrics", "scenarios", "scripts", "workloads"} {
		info, err := os.Stat(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join(from, name)))
		} else {
			var data []byte
			if data, err = os.ReadFile(filepath.Join(from, name)); err == nil {
				err = os.WriteFile(filepath.Join(to, name), data, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}
