//go:build linux

package netns

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func awaitWake(t *testing.T, w *Watcher, what string) {
	t.Helper()
	select {
	case _, open := <-w.C():
		if !open {
			t.Fatalf("%s: the watch ended: %v", what, w.Err())
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("no wake-up within 5 s of %s", what)
	}
}

// quiesce takes the wake-ups that are due and returns once none has come for a while.
func quiesce(w *Watcher) {
	for {
		select {
		case <-w.C():
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func TestWatch(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	w := endingWatch(t)
	p := newPlugger(t)
	if err := p.Plug(t.Context(), plugs(1)); err != nil {
		t.Fatal(err)
	}
	awaitWake(t, w, "a link")
	quiesce(w)
	for _, pool := range []string{"10.128.0.0/14", "fd00:1::/64"} {
		undo, err := Blackhole(netip.MustParsePrefix(pool))
		if err != nil {
			t.Fatal(err)
		}
		awaitWake(t, w, "the route "+pool)
		if err := undo(); err != nil {
			t.Error(err)
		}
		awaitWake(t, w, "the end of the route "+pool)
		quiesce(w)
	}
}

func TestWatchOfRules(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skipf("needs nft: %v", err)
	}
	w := endingWatch(t)
	if out, err := exec.Command(nft, "add table ip a; add chain ip a b; add chain ip a c").CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	awaitWake(t, w, "an nftables transaction")
	quiesce(w)
	if got := w.Events(); got != 1 {
		t.Errorf("one transaction made %d events", got)
	}
}

// endingWatch watches until the test ends, and its sockets are closed by then.
func endingWatch(t *testing.T) *Watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := Watch(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for range w.C() {
		}
		if err := w.Err(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestWatchSurvivesAnOverflow(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	socket, err := subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1) }); err != nil || set != nil {
		t.Fatal(err, set)
	}
	for range 50 {
		undo, err := Blackhole(netip.MustParsePrefix("10.128.0.0/14"))
		if err != nil {
			t.Fatal(err)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &Watcher{wake: make(chan struct{}, 1)}
	w.start(ctx, []*os.File{socket})
	awaitWake(t, w, "an overflow")
	quiesce(w)
	if w.Overflows() == 0 {
		t.Error("no overflow was counted")
	}
	if undo, err := Blackhole(netip.MustParsePrefix("10.128.0.0/14")); err != nil {
		t.Error(err)
	} else {
		awaitWake(t, w, "a route after the overflow")
		if err := undo(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	for range w.C() {
	}
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}
