package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

func reportCommand() *cobra.Command {
	var out string
	var open bool
	c := &cobra.Command{
		Use: "report RUN", Short: "Make the page of a run, and its plots, from its record", Args: cobra.ExactArgs(1),
		Long: `report reads the record of a run (its folder, or its name below --out, such as "latest") and writes all that is made
of it again: report.html, which needs nothing besides itself, the plots, and all other formats. A record of any run will do: one that
failed, one that was cut off, one that still goes on. Where the folder holds no journals any more, run.json is read.`,
		RunE: func(c *cobra.Command, args []string) error {
			rec, dir, err := findRecord(args[0], out)
			if err != nil {
				return usage(err)
			}
			if err := report.WriteAll(dir, rec); err != nil {
				return err
			}
			path := filepath.Join(dir, report.HTML{}.File())
			fmt.Fprintln(c.OutOrStdout(), path)
			if open {
				return openPage(c.Context(), path)
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	c.Flags().BoolVar(&open, "open", false, "show the page in the browser")
	return c
}

// findRecord reads and judges the record in a folder or, failing that, in the folder of that name below out.
func findRecord(run, out string) (report.Record, string, error) {
	var errs []error
	for _, dir := range []string{run, filepath.Join(out, run)} {
		rec, err := report.Load(dir)
		if errors.Is(err, os.ErrNotExist) {
			rec, err = report.ReadFile(filepath.Join(dir, report.JSON{}.File()))
		}
		if err == nil {
			return engine.Judge(rec), dir, nil
		}
		errs = append(errs, err)
	}
	return report.Record{}, "", fmt.Errorf("no record of %s: %w", run, errors.Join(errs...))
}

// openPage lets the desktop show a page.
func openPage(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "xdg-open", path).CombinedOutput(); err != nil {
		return usage(fmt.Errorf("xdg-open %s: %w %s; open it in a browser", path, err, out))
	}
	return nil
}
