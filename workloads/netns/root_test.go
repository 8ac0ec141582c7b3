//go:build linux

package netns

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// enterFresh moves the test's goroutine into a network namespace of its own until the test ends, or skips the test where
// that is not possible.
func enterFresh(t testing.TB) {
	t.Helper()
	fresh, err := NewNamespace()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "root") {
			t.Fatalf("the root tier is required and cannot run: %v", err)
		}
		t.Skipf("needs root: %v", err)
	}
	runtime.LockOSThread()
	home, err := Current()
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.enter(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := home.enter(); err == nil { // else the thread dies with the goroutine
			runtime.UnlockOSThread()
		}
		if err := home.Close(); err != nil {
			t.Error(err)
		}
		if err := fresh.Close(); err != nil {
			t.Error(err)
		}
	})
}

// identity names the current network namespace.
func identity(t testing.TB) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func openDescriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// noLeak fails the test if it ends with more links or descriptors than there are now. It must be called before anything
// whose cleanup closes descriptors.
func noLeak(t testing.TB) {
	t.Helper()
	descriptors := openDescriptors(t)
	links, err := Links()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if now := openDescriptors(t); len(now) != len(descriptors) {
			t.Errorf("descriptors before:\n%s\nafter:\n%s", strings.Join(descriptors, "\n"), strings.Join(now, "\n"))
		}
		if now, err := Links(); err != nil || !slices.Equal(now, links) {
			t.Errorf("links before %v, after %v (%v)", links, now, err)
		}
	})
}
