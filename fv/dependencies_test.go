package fv

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies holds the rules on what the binaries link. It needs the sources, so it does not run in a container.
func TestDependencies(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || suite != nil {
		t.Skip("no go command here")
	}
	for _, c := range []struct {
		args      []string
		forbidden []string
	}{
		{[]string{"list", "-deps", "-test", "."}, []string{"github.com/docker/docker/client"}},
		{[]string{"list", "-deps", "./cmd/fv", "./fvtest"}, []string{"github.com/vishvananda/netlink", "github.com/onsi/ginkgo/v2", "github.com/onsi/gomega"}},
		{[]string{"list", "-deps", "./driver", "./cmd/fv-inside"}, []string{"github.com/docker/docker/client", "github.com/onsi/ginkgo/v2", "github.com/onsi/gomega"}},
	} {
		out, err := exec.Command("go", c.args...).CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", c.args, err, out)
		}
		for _, f := range c.forbidden {
			if strings.Contains("\n"+string(out), "\n"+f+"\n") {
				t.Errorf("go %v: links %s", c.args, f)
			}
		}
	}
}
