// Command fv-pause holds the namespaces of a node: it does nothing until it is told to end, and as process 1 it reaps
// the orphans of all that join its process namespace.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for {
		// Before the first wait too: a child may have ended before Notify. One SIGCHLD may stand for many children.
		reap()
		if s := <-signals; s != syscall.SIGCHLD {
			return
		}
	}
}

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
	}
}
