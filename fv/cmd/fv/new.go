package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/fv/scaffold"
)

func newCommand() *cobra.Command {
	var module string
	c := &cobra.Command{
		Use: "new {" + strings.Join(scaffold.Kinds, "|") + "} NAME", Short: "Begin a scenario, a target or a fault: files that compile, pass and are documented",
		Args: cobra.ExactArgs(2),
		Example: `  fv new scenario 'policy storm'
  fv new fault 'a neighbour removed'
  fv new target my-agent --module github.com/owner/my-agent`,
		RunE: func(c *cobra.Command, args []string) error {
			root, err := harness.ProjectRoot()
			if err != nil {
				return usage(err)
			}
			written, err := scaffold.New(root, args[0], args[1], module)
			if err != nil {
				return usage(err)
			}
			for _, file := range written {
				fmt.Fprintln(c.OutOrStdout(), file)
			}
			fmt.Fprintf(c.OutOrStdout(), "\n%s\n", next(args[0], args[1], module))
			return nil
		},
	}
	c.Flags().StringVar(&module, "module", "", "of a target: the Go `PATH` of the module that it is built from")
	return c
}

// next says what to do now.
func next(kind, called, module string) string {
	switch kind {
	case "target":
		return fmt.Sprintf("next: (cd docker/%s && go get -tool %s/cmd/%s@latest && go mod tidy), then make fv TARGET=%s", called, module, called, called)
	case "fault":
		return fmt.Sprintf("next: make fv-faults FOCUS='^%s$'", called)
	}
	return fmt.Sprintf("next: make fv FOCUS='^%s$'", called)
}
