// Command fv-pause holds the namespaces of a node: it does nothing until it is told to end, and as process 1 it reaps
// the orphans of all that join its process namespace. As `fv-pause keep PROGRAM [ARG…]` it runs a program instead, which SIGHUP
// kills and starts again in the same container.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "keep" {
		os.Exit(keep(os.Args[2:]))
	}
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

// keep runs the program, and again after each SIGHUP, and ends as it does.
func keep(args []string) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	for {
		program := exec.Command(args[0], args[1:]...)
		program.Stdout, program.Stderr = os.Stdout, os.Stderr
		if err := program.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "fv-pause:", err)
			return 127
		}
		ended := make(chan error, 1)
		go func() { ended <- program.Wait() }()
		again := false
		for running := true; running; {
			select {
			case s := <-signals:
				if again = s == syscall.SIGHUP; again {
					s = syscall.SIGKILL
				}
				_ = program.Process.Signal(s) // it may have ended
			case err := <-ended:
				running = false
				if !again {
					return code(err)
				}
			}
		}
	}
}

// code returns what a shell would say of the end of a program.
func code(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
