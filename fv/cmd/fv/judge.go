package main

import (
	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics/report"
)

func judgeCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "judge RUN", Short: "Judge a stored record again", Args: cobra.ExactArgs(1),
		Long: `judge reads the record of a run (its folder, or its name below --out, such as "latest"), judges it anew with
the rules of this version, writes all formats again and prints the table.`,
		RunE: func(c *cobra.Command, args []string) error {
			rec, err := harness.Judge(args[0], out)
			if err != nil {
				return err
			}
			if err := report.Table(c.OutOrStdout(), rec); err != nil {
				return err
			}
			return ended(rec.Verdict, nil)
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	return c
}
