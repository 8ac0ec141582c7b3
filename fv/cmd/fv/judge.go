package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
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
			dir := args[0]
			rec, err := report.Load(dir)
			if err != nil {
				dir = filepath.Join(out, args[0])
				if rec, err = report.Load(dir); err != nil {
					return usage(fmt.Errorf("no record in %s: %w", dir, err))
				}
			}
			for _, issue := range without {
				var known bool
				if rec, known = rec.Without(issue); !known {
					return usage(fmt.Errorf("--without-known %q: the record knows %s", issue, rec.Issues()))
				}
			}
			rec = engine.Judge(rec)
			if err := report.WriteAll(dir, rec); err != nil {
				return err
			}
			if err := report.Table(c.OutOrStdout(), rec); err != nil {
				return err
			}
			return verdictError(rec.Verdict)
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	c.Flags().StringArrayVar(&without, "without-known", nil, "excuse nothing by the known issue of this name; may be given more than once")
	return c
}

// verdictError turns a run's verdict, which the table has already told, into an exit code.
func verdictError(v metrics.Verdict) error {
	switch v {
	case metrics.Pass:
		return nil
	case metrics.Fail:
		return &exitError{code: exitFail}
	}
	return &exitError{code: exitInconclusive}
}
