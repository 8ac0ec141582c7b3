// Command fv is the harness: it starts an environment with a real SUT, drives it with the suite, judges the record and
// removes what it made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra/runtimes/local"
	"github.com/nodefv/nodefv/metrics"
)

// Exit codes of every subcommand.
const (
	exitPass         = 0
	exitFail         = 1
	exitUsage        = 2 // wrong usage, or a machine that lacks something
	exitInconclusive = 3
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil: it was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

// ended turns a run's verdict, which the table has already told, into an exit code; an error that comes with it is told.
func ended(v metrics.Verdict, err error) error {
	switch {
	case v == metrics.Fail:
		return &exitError{exitFail, err}
	case v == metrics.Pass || err != nil:
		return err
	}
	return &exitError{code: exitInconclusive}
}

func main() {
	local.BecomeLauncher()
	ctx, stop := signalContext()
	err := signalled(ctx, command().ExecuteContext(ctx))
	stop()
	os.Exit(exitCode(err))
}

// signalError is what a signal makes of all that is under way.
type signalError struct{ syscall.Signal }

func (e signalError) Error() string { return "interrupted" }

// code is the exit code of a program that ends on a signal, as shells tell it.
func (e signalError) code() int { return 128 + int(e.Signal) }

// signalled gives what a signal has cut short the exit code of that; what the session has told already is not told again.
func signalled(ctx context.Context, err error) error {
	var cause signalError
	if err == nil || !errors.As(context.Cause(ctx), &cause) {
		return err
	}
	if cut, only := unwrapped(err).(*harness.InterruptedError); only && cut.Told {
		err = nil
	}
	return &exitError{cause.code(), err}
}

// unwrapped is the error that an exit code was given to.
func unwrapped(err error) error {
	var e *exitError
	if errors.As(err, &e) {
		return e.err
	}
	return err
}

func exitCode(err error) int {
	if err == nil {
		return exitPass
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "fv:", text)
	}
	var e *exitError
	var misused *harness.UsageError
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &misused):
		return exitUsage
	}
	return exitInconclusive
}

// signalContext is cancelled by the first Ctrl-C, so that everything is undone in order; the second ends the program
// at once, and what it leaves is swept by the next run.
func signalContext() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		fmt.Fprintf(os.Stderr, "\nfv: %v: stopping in order; again to stop at once\n", s)
		cause := signalError{s.(syscall.Signal)}
		cancel(cause)
		<-signals
		taken.release()
		fmt.Fprintln(os.Stderr, "fv: stopped at once; the next run removes what is left"+underWay.advice())
		os.Exit(cause.code())
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "fv",
		Short: "Functional verification of Kubernetes node agents with real packets and kernel state",
		Long: `fv starts etcd, a Kubernetes API server and the agent under test in containers, runs the suite
inside the agent's network namespace, and judges what it saw.

Exit codes: 0 all passed; 1 a scenario failed; 2 wrong usage, or the machine lacks something (see fv doctor);
3 inconclusive: the harness broke, not the agent, or the evidence is too weak; 130 interrupted by Ctrl-C.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(runCommand(), upCommand(), testCommand(), execCommand(), downCommand(), psCommand(), newCommand(), listCommand(),
		doctorCommand(), imagesCommand(), judgeCommand(), reportCommand(), noteCommand(), faultsCommand(), mutantsCommand(), fuzzCommand(), leakCommand(), sweepCommand(), replayCommand(), benchCommand(), trafficCommand(), impairCommand(), uiCommand(), versionCommand())
	checkArguments(root)
	nameValues(root)
	completeValues(root)
	root.SetUsageTemplate(narrow(root.UsageTemplate()))
	return root
}
