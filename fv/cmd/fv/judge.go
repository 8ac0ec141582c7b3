package main

import (
	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics/report"
)

func judgeCommand() *cobra.Command {
	var out string
	var without []string
	c := &cobra.Command{
		Use: "judge RUN", Short: "Judge a stored record again", Args: cobra.ExactArgs(1),
		Long: `judge reads the record of a run (its folder, or its name below --out, such as "latest"), judges it anew with
the rules of this version, writes all formats again and prints the table. The known issues of the SUT's release excuse what they did during
the run; --without-known judges without one of them. The journals keep them all, so judging again without the flag undoes that.`,
		RunE: func(c *cobra.Command, args []string) error {
			rec, dir, err := harness.Judge(args[0], out, without...)
			if err != nil {
				return err
			}
			if err := report.Table(c.OutOrStdout(), rec, dir); err != nil {
				return err
			}
			return ended(rec.Verdict, nil)
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	c.Flags().StringArrayVar(&without, "without-known", nil, "excuse nothing by the known issue of this name; may be given more than once")
	return c
}
