package main

import (
	"os"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

func modeOf(t *testing.T, terminal *os.File) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}

func TestTakeTerminal(t *testing.T) {
	user, terminal, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	defer user.Close()
	defer terminal.Close()
	resize := func(rows, columns uint16) {
		t.Helper()
		if err := pty.Setsize(user, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
			t.Fatal(err)
		}
	}
	resize(30, 90)
	before := modeOf(t, terminal)
	got, release, err := takeTerminal(terminal)
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != (infra.Size{Rows: 30, Columns: 90}) {
		t.Errorf("its size is %v", got.Size)
	}
	if raw := modeOf(t, terminal); raw.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || raw == before {
		t.Errorf("it is not raw: %+v", raw)
	}
	resize(10, 40)
	// The kernel tells those whose terminal it is; the test's own is another, or none.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	if size := <-got.Resized; size != (infra.Size{Rows: 10, Columns: 40}) {
		t.Errorf("its new size is %v", size)
	}
	for range 2 { // by a signal and in order, say
		release()
	}
	if after := modeOf(t, terminal); after != before {
		t.Errorf("it is left as %+v, was %+v", after, before)
	}
}

func TestTerminalThatIsNone(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := checkTerminal(true, null); err == nil || exitCode(err) != exitUsage {
		t.Errorf("got %v", err)
	}
	if err := checkTerminal(false, null); err != nil {
		t.Errorf("got %v", err)
	}
}
