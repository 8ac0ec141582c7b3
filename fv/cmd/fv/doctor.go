package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine: what is missing, what it costs, how to mend it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var missing []string
			for _, check := range harness.Checks() {
				found, err := check.Look(c.Context())
				state := "ok  "
				if err != nil && check.Optional {
					state = "note"
				} else if err != nil {
					state = "GAP "
					missing = append(missing, check.Name)
				}
				line := fmt.Sprintf("%s  %-26s %s", state, check.Name, found)
				if err != nil {
					line += "  " + err.Error()
				}
				fmt.Fprintln(c.OutOrStdout(), strings.TrimRight(line, " "))
			}
			if len(missing) > 0 {
				return usage(fmt.Errorf("this machine lacks: %s", strings.Join(missing, ", ")))
			}
			return nil
		},
	}
}
