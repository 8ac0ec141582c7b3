package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/nodefv/nodefv/fv/harness"
)

func downCommand() *cobra.Command {
	var r harness.Removal
	c := &cobra.Command{
		Use: "down [RUN…]", Short: "Remove environments, also those whose maker was killed",
		Long: `down removes the environments of the named runs. If none is named, it removes the one that is kept and what killed commands left;
of several that are kept it asks which. It leaves the environment of a command that runs alone unless --force is given.`,
		RunE: func(c *cobra.Command, args []string) error {
			h, err := open(c)
			if err != nil {
				return err
			}
			r.Named = args
			removed := func(run string) { fmt.Fprintf(c.OutOrStdout(), "removed %s\n", run) }
			err = h.Down(c.Context(), r, removed)
			var several *harness.SeveralError
			if !errors.As(err, &several) || !term.IsTerminal(int(os.Stdin.Fd())) {
				return err
			}
			if r.Named, err = which(os.Stdin, os.Stderr, several.Runs); err != nil || len(r.Named) == 0 {
				return err
			}
			return h.Down(c.Context(), r, removed)
		},
	}
	c.Flags().BoolVar(&r.All, "all", false, "all that are kept, and what killed commands left")
	c.Flags().BoolVar(&r.Force, "force", false, "also those of commands that run: the named ones, or with --all every one")
	return c
}

// which asks a person which of several runs are meant, until the answer is one that can be; an empty one means none.
func which(in io.Reader, out io.Writer, runs []string) ([]string, error) {
	for i, run := range runs {
		fmt.Fprintf(out, "%3d  %s\n", i+1, run)
	}
	answers := bufio.NewScanner(in)
	for {
		fmt.Fprint(out, "remove which (numbers, or all; nothing: none)? ")
		if !answers.Scan() {
			return nil, answers.Err()
		}
		answer := strings.TrimSpace(answers.Text())
		if answer == "all" {
			return runs, nil
		}
		if chosen, ok := numbered(answer, runs); ok {
			return chosen, nil
		}
	}
}

// numbered returns the runs whose numbers, from 1, are in the answer; false if anything else is.
func numbered(answer string, runs []string) (chosen []string, ok bool) {
	for _, word := range strings.FieldsFunc(answer, func(r rune) bool { return r == ' ' || r == ',' }) {
		var n int
		if _, err := fmt.Sscanf(word, "%d", &n); err != nil || n < 1 || n > len(runs) {
			return nil, false
		}
		chosen = append(chosen, runs[n-1])
	}
	return chosen, true
}
