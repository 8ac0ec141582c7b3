package driver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
)

// obedient answers each request of a driver as a harness does.
type obedient struct{ dir, answer string }

func (o obedient) Write(p []byte) (int, error) {
	return len(p), os.WriteFile(filepath.Join(o.dir, "answer"), []byte(o.answer+"\n"), 0o644)
}

func TestAgentIsAwayBetweenStopAndStart(t *testing.T) {
	dir := t.TempDir()
	a := agent{New(infra.Handoff{Out: dir}, obedient{dir, "done"})}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !a.restarting.Load() {
		t.Error("its end counts as its death")
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if a.awaitBack(soon); soon.Err() == nil {
		t.Error("it is back before it was started")
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.awaitBack(t.Context()) // or the test hangs
	if a.restarting.Load() {
		t.Error("its next end counts as asked for")
	}
}

func TestAgentThatCanNotBeStoppedIsNotAway(t *testing.T) {
	dir := t.TempDir()
	a := agent{New(infra.Handoff{Out: dir}, obedient{dir, "there is none"})}
	if err := a.Stop(t.Context()); err == nil {
		t.Fatal("no error")
	}
	a.awaitBack(t.Context()) // or the test hangs
	if a.restarting.Load() {
		t.Error("its next end counts as asked for")
	}
}

func TestFreezeNeedsAProcess(t *testing.T) {
	done := false
	err := New(infra.Handoff{}, obedient{}).freeze(func() error { done = true; return nil })
	if err == nil || done {
		t.Errorf("done %v, error %v", done, err)
	}
}

func TestFreeze(t *testing.T) {
	cmd := sleeper(t, "fv-freeze")
	d := New(infra.Handoff{Target: infra.TargetFacts{Process: "fv-freeze"}}, obedient{})
	alive, err := d.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer os.NewFile(uintptr(alive.fd), "pidfd").Close()
	failed := errors.New("it failed")
	err = d.freeze(func() error {
		for !stopped(cmd.Process.Pid) { // a signal takes a moment; if it never comes, the test hangs
			time.Sleep(time.Millisecond)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	for stopped(cmd.Process.Pid) {
		time.Sleep(time.Millisecond)
	}
}
