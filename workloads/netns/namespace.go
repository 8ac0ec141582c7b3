//go:build linux

// Package netns makes network namespaces, plugs pods into the node with veth pairs, and reads and watches what the
// kernel holds of them.
//
// It owns the namespaces and links that it made, and nothing else: routes to pods are the agent's business. It needs
// root. "Current" means the network namespace of the calling thread. All types are safe for concurrent use.
package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

var errAborted = errors.New("function ended its goroutine")

// Namespace is a network namespace that lives at least as long as its descriptor is open; it has no name in the file
// system. Sockets opened inside keep it alive too.
type Namespace struct{ file *os.File }

// NewNamespace makes a network namespace with nothing but a loopback interface that is down.
func NewNamespace() (*Namespace, error) {
	var made *Namespace
	err := Visit(func(*Visitor) error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		made, err = Current()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create network namespace: %w", err)
	}
	return made, nil
}

// Current returns the network namespace of the calling thread, held by a descriptor of its own.
func Current() (*Namespace, error) {
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("open current network namespace: %w", err)
	}
	return &Namespace{file: file}, nil
}

// Do runs fn inside the namespace on a locked thread of its own, and returns its error. Sockets that fn opens stay
// bound to the namespace; goroutines that it starts run outside.
func (n *Namespace) Do(fn func() error) error {
	return Visit(func(v *Visitor) error {
		if err := v.Enter(n); err != nil {
			return err
		}
		return fn()
	})
}

// Close gives up the descriptor. The kernel removes the namespace and its links, in its own time, once no socket and
// no thread is inside. A second Close returns os.ErrClosed.
func (n *Namespace) Close() error { return n.file.Close() }

// File returns another descriptor of the namespace, for another process. It must be closed, and keeps the namespace until then.
func (n *Namespace) File() (*os.File, error) {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("share network namespace: %w", err)
	}
	copied := -1
	var failed error
	if err := raw.Control(func(fd uintptr) { copied, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, fmt.Errorf("share network namespace: %w", err)
	}
	if failed != nil {
		return nil, fmt.Errorf("share network namespace: %w", failed)
	}
	return os.NewFile(uintptr(copied), "network namespace"), nil
}

// enter moves the calling thread, which must be locked.
func (n *Namespace) enter() error {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	var set error
	// Control keeps a concurrent Close from freeing the descriptor's number in the middle.
	if err := raw.Control(func(fd uintptr) { set = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	if set != nil {
		return fmt.Errorf("enter network namespace: %w", set)
	}
	return nil
}

// Visitor is a locked thread that goes from namespace to namespace. It is valid only inside the function that Visit
// was given.
type Visitor struct{}

// Enter moves the thread into the namespace.
func (*Visitor) Enter(n *Namespace) error { return n.enter() }

// Visit runs fn on a locked thread that may enter any number of namespaces, about a microsecond each. The thread is
// brought back to where it was, or discarded if that fails.
func Visit(fn func(*Visitor) error) error {
	err := errAborted
	onThread(func() (clean bool) {
		home, openErr := Current()
		if openErr != nil {
			err = openErr
			return true
		}
		defer home.Close()
		err = fn(&Visitor{})
		return home.enter() == nil
	})
	return err
}

// onThread runs fn on a locked thread, which is discarded unless fn reports that it left it as it was. It is never the
// main thread: what /proc/self says of the network, to us and to others, is what the main thread sees.
func onThread(fn func() (clean bool)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			onThread(fn)
			return
		}
		if fn() {
			runtime.UnlockOSThread()
		}
	}()
	<-done
}
