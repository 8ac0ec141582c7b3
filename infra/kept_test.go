package infra

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestKeptLooksWhereTheRunWasMade(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	elsewhere, here := t.TempDir(), RunInfo{Run: "mine"}
	theirs := RunInfo{Run: "theirs", State: elsewhere}
	for _, r := range []RunInfo{here, theirs} {
		if r.Kept() {
			t.Errorf("%s is kept before anybody said so", r.Run)
		}
	}
	mine, err := StateFolder("mine")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{mine, elsewhere} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, keptFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []RunInfo{here, theirs} {
		if !r.Kept() {
			t.Errorf("%s is not kept", r.Run)
		}
	}
}

// TestTake wants one at most to drive an environment, and everybody to see that one does.
func TestTake(t *testing.T) {
	e := &Environment{run: "run", state: t.TempDir()}
	r := RunInfo{Run: "run", State: e.state}
	if r.AtWork() {
		t.Error("driven, though nobody has taken it")
	}
	release, err := e.Take()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Take(); !errors.Is(err, ErrDriven) {
		t.Errorf("taken twice: %v", err)
	}
	if !r.AtWork() {
		t.Error("taken, and not driven")
	}
	if err := release(); err != nil || r.AtWork() {
		t.Errorf("driven after its release, %v", err)
	}
	again, err := e.Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
}

// TestUse wants whoever runs a program in an environment to be seen, beside one who drives it, and to leave nothing.
func TestUse(t *testing.T) {
	e := &Environment{run: "run", state: t.TempDir()}
	r := RunInfo{Run: "run", State: e.state}
	release, err := e.use()
	if err != nil {
		t.Fatal(err)
	}
	if !r.AtWork() {
		t.Error("used, and nobody is at work")
	}
	driven, err := e.Take()
	if err != nil {
		t.Error(err)
	}
	if err := errors.Join(driven(), release()); err != nil || r.AtWork() {
		t.Errorf("at work after its release, %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(e.state, useFiles+"*")); len(left) > 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}
