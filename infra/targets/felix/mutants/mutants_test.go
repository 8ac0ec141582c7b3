package mutants

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/mutants"
)

func TestTable(t *testing.T) {
	if err := Table.Check(); err != nil {
		t.Error(err)
	}
	if n := len(Table.Mutants); n < 40 {
		t.Errorf("the table has %d mutants, fewer than 40", n)
	}
	classes := map[mutants.Class]int{}
	for _, m := range Table.Mutants {
		classes[m.Class]++
	}
	for _, c := range mutants.Classes {
		if classes[c] == 0 {
			t.Errorf("no mutant is of the class %s", c)
		}
	}
}

// TestEditsApply finds every anchor in the source of the release that is pinned.
func TestEditsApply(t *testing.T) {
	source := pinned(t)
	a, err := Table.Weave(os.DirFS(source))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, data := range a.Files {
		text.Write(data)
	}
	for _, m := range Table.Mutants {
		if !strings.Contains(text.String(), `"`+m.Name+`"`) {
			t.Errorf("no guard asks for %s", m.Name)
		}
	}
}

// pinned returns the folder of the pinned module in the module cache; the test is skipped where it was never fetched.
func pinned(t *testing.T) string {
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", Table.Module)
	cmd.Dir = root + "/docker/" + Table.Component
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	dir := strings.TrimSpace(string(out))
	if errors.Is(err, exec.ErrNotFound) || err == nil && dir == "" || strings.Contains(dir, "GOPROXY=off") {
		t.Skipf("%s is not in the module cache: `make fv` fetches it", Table.Module)
	} else if err != nil {
		t.Fatalf("%v: %s", err, dir)
	}
	return dir
}
