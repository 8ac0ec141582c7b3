package infra

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAbandoned(t *testing.T) {
	dir := t.TempDir()
	if err := AwaitAbandoned(dir); err == nil {
		t.Error("nobody ever drove, and it is known that nobody does any more")
	}
	release, err := hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	var released atomic.Bool
	early := make(chan bool, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		err := AwaitAbandoned(dir) // an error if it begins only once the file is gone
		early <- err == nil && !released.Load()
	}()
	<-begun
	if _, err := lock(dir, heldFile, unix.LOCK_NB); err == nil {
		t.Error("it is not held")
	}
	released.Store(true)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if <-early {
		t.Error("it was taken for abandoned while it was held")
	}
	if _, err := os.Stat(filepath.Join(dir, heldFile)); err == nil {
		t.Error("the file is left")
	}
}
