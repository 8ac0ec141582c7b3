package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/nodefv/nodefv/infra"
)

// taken is how the user's terminal becomes again what it was; nothing, while no program has it. It holds at any end of this one.
var taken hold

type hold struct {
	mu   sync.Mutex
	undo func()
}

func (h *hold) take(undo func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undo = undo
}

func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.undo != nil {
		h.undo()
		h.undo = nil
	}
}

// checkTerminal refuses to give away a terminal that there is not.
func checkTerminal(wanted bool, in *os.File) error {
	if wanted && !term.IsTerminal(int(in.Fd())) {
		return usage(errors.New("-t needs a terminal, and standard input is none: leave -t out"))
	}
	return nil
}

// takeTerminal gives a program the user's terminal: every key is the program's own, Ctrl-C too, until release is called.
func takeTerminal(in *os.File) (t *infra.Terminal, release func(), err error) {
	fd := int(in.Fd())
	sizes, changed := make(chan infra.Size), make(chan os.Signal, 1)
	t = &infra.Terminal{Name: os.Getenv("TERM"), Size: sizeOf(fd), Resized: sizes}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("take the terminal: %w", err)
	}
	ended := make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	taken.take(func() {
		signal.Stop(changed)
		close(ended)
		_ = term.Restore(fd, old) // it may be gone
	})
	go func() {
		for {
			select {
			case <-changed:
			case <-ended:
				return
			}
			select {
			case sizes <- sizeOf(fd):
			case <-ended:
				return
			}
		}
	}()
	return t, taken.release, nil
}

// sizeOf is the size of a terminal; zero if it does not say.
func sizeOf(fd int) infra.Size {
	columns, rows, err := term.GetSize(fd)
	if err != nil {
		return infra.Size{}
	}
	return infra.Size{Rows: uint16(rows), Columns: uint16(columns)}
}
