package local

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestElsewhereLeavesTheProcessWhereItIs fails if f may run on the process's first thread: the runtime would take its own process for one of the
// container's.
func TestElsewhereLeavesTheProcessWhereItIs(t *testing.T) {
	before, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan bool, 500)
	for range cap(first) {
		go func() {
			_ = elsewhere(func() error {
				first <- unix.Gettid() == unix.Getpid()
				return unix.Unshare(unix.CLONE_NEWUTS) // refused without root
			})
		}()
	}
	for range cap(first) {
		if <-first {
			t.Fatal("it ran on the first thread")
		}
	}
	if after, err := os.Readlink("/proc/self/ns/uts"); err != nil || after != before {
		t.Errorf("the process is in %s, was in %s: %v", after, before, err)
	}
}
