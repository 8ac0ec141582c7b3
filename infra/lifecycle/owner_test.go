package lifecycle

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOwner(t *testing.T) {
	now, old := time.Now(), time.Now().Add(-2*strangerLife)
	self := Self()
	if self.Gone(old) {
		t.Errorf("%s, which runs this test, is gone", self)
	}
	parts := strings.Split(string(self), "/")
	for name, c := range map[string]struct {
		change func(p []string)
		made   time.Time
		gone   bool
	}{
		"number used again":        {func(p []string) { p[3] = "1" }, now, true},
		"ended":                    {func(p []string) { p[2] = "0" }, now, true},
		"of another machine":       {func(p []string) { p[0] = "other" }, now, false},
		"of another machine, long": {func(p []string) { p[0] = "other" }, old, true},
		"of another process space": {func(p []string) { p[1] = "1" }, now, false},
		"number that is no number": {func(p []string) { p[2] = "x" }, now, true},
	} {
		p := append([]string(nil), parts...)
		c.change(p)
		if got := Owner(strings.Join(p, "/")).Gone(c.made); got != c.gone {
			t.Errorf("%s: gone %v", name, got)
		}
	}
	if pid, ok := self.PID(); !ok || pid != os.Getpid() {
		t.Errorf("PID() of this process: %d, %v", pid, ok)
	}
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait() // until then nobody has waited for it
	for {
		name, err := OwnerOf(child.Process.Pid)
		if _, runs := name.PID(); err != nil && !runs {
			break
		}
	}
	if !Owner("").Gone(now) {
		t.Error("nobody is there")
	}
}
