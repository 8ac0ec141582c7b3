package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func noteCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "note RUN TEXT", Short: "Write a note beside the results of a run or a sweep", Args: cobra.ExactArgs(2),
		Long: `note writes a text, with the time, into the record of a run or a sweep (its folder, or its name below --out, such as "latest"). It stands on
the page and in summary.md. A run that goes on shows it once it has ended.`,
		Example: `  fv note latest "another build ran from 12:10 to 12:20"`,
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := harness.AddNote(args[0], out, args[1])
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), "noted in", dir)
			}
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	return c
}
