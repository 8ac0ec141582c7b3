package main

import (
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

// open returns a harness that tells the user on the command's output what it finds, and on the error stream what it does. Images and
// their commands are the user's, named by variables.
func open(c *cobra.Command) (*harness.Harness, error) { return openOn(c, c.OutOrStdout()) }

// openOn returns one that tells what it finds there.
func openOn(c *cobra.Command, out io.Writer) (*harness.Harness, error) {
	return harness.Open(c.Context(), harness.Config{
		Images: givenImages(), Commands: givenCommands(), Out: out, Progress: os.Stderr, Screen: harness.ScreenOf(out, os.Getenv), Began: underWay.began,
	})
}

// underWay is the environment that was started last.
var underWay latest

// latest remembers a run. It is safe for concurrent use.
type latest struct{ run atomic.Pointer[string] }

func (l *latest) began(run string) { l.run.Store(&run) }

// advice says how what is left of the run is removed; empty if none has begun.
func (l *latest) advice() string {
	if run := l.run.Load(); run != nil {
		return ", as does `fv down " + *run + "`"
	}
	return ""
}

// screen is what the command's output is read on.
func screen(c *cobra.Command) harness.Screen { return harness.ScreenOf(c.OutOrStdout(), os.Getenv) }

// openFor returns a harness for environments with these options, which are checked first.
func openFor(c *cobra.Command, o harness.Options) (*harness.Harness, error) {
	if err := o.Check(givenImages()); err != nil {
		return nil, err
	}
	return open(c)
}

// opened returns a harness in which environments can be started with these options.
func opened(c *cobra.Command, o harness.Options) (*harness.Harness, error) {
	h, err := openFor(c, o)
	if err == nil {
		_, err = h.Prepare(c.Context(), o)
	}
	return h, err
}

func givenImages() map[string]string {
	images := map[string]string{}
	for _, c := range harness.Components() {
		if image := os.Getenv(harness.ImageVariable(c)); image != "" {
			images[c.Name] = image
		}
	}
	return images
}

func givenCommands() map[string][]string {
	commands := map[string][]string{}
	for _, c := range harness.Components() {
		commands[c.Name] = strings.Fields(os.Getenv(harness.CommandVariable(c)))
	}
	return commands
}

// shown runs a suite whose flags after -- are those of a dry run, for which nothing is started.
func shown(c *cobra.Command, s *harness.Suite) (done bool, err error) {
	if s.DryRun() {
		return true, s.Show(c.Context(), c.OutOrStdout(), screen(c))
	}
	return false, s.CheckExtra(c.Context())
}
