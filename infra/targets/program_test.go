package targets

import (
	"regexp"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/workloads"
)

// TestProgram wants the user's environment to win, and all allocations to be counted when that is asked for.
func TestProgram(t *testing.T) {
	cp := infra.ControlPlane{Kubeconfig: func(name string, _ ...string) ([]byte, error) { return []byte(name), nil }}
	p := Program{Named: "word", Options: Options{Settings: []workloads.Setting{workloads.CountsAll}, Env: map[string]string{"A": "user's"}, Command: []string{"wrap", "word"}, Memory: 7}}
	spec, err := p.Spec(cp, map[string]string{"A": "ours", "B": "ours"}, "--flag")
	if err != nil {
		t.Fatal(err)
	}
	if env := spec.Env; env["A"] != "user's" || env["B"] != "ours" || env["GODEBUG"] != "memprofilerate=1" {
		t.Errorf("environment %v", env)
	}
	if c := spec.Command; len(c) != 3 || c[0] != "wrap" || c[2] != "--flag" || spec.Memory != 7 || spec.Files[0].Path != p.KubeconfigPath() || string(spec.Files[0].Data) != "word" {
		t.Errorf("got %+v", spec)
	}
}

// TestVersionIn wants a version of a log to be written as releases are, and none to be made up.
func TestVersionIn(t *testing.T) {
	p := Program{Started: regexp.MustCompile(`version (\S+)`)}
	for log, want := range map[string]string{"version 1.2.3 ": "v1.2.3", "version v1.2.3 ": "v1.2.3", "no word of it": ""} {
		if got := p.VersionIn([]byte(log)); got != want {
			t.Errorf("%q: got %q", log, got)
		}
	}
	if got := (Program{}).VersionIn([]byte("version 1.2.3")); got != "" {
		t.Errorf("a program that does not log it: %q", got)
	}
}
