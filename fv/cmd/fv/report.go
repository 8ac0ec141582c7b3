package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func reportCommand() *cobra.Command {
	var out string
	var open bool
	c := &cobra.Command{
		Use: "report RUN", Short: "Make the page of a run, and its plots, from its record", Args: cobra.ExactArgs(1),
		Long: `report reads the record of a run (its folder, or its name below --out, such as "latest") and writes again all that is
made of it: report.html, the plots, and the other formats. Any record will do: of a run that failed, was cut off, or still goes on.`,
		RunE: func(c *cobra.Command, args []string) error {
			path, err := harness.Report(args[0], out)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), path)
			if open {
				return show(c.Context(), path)
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "out", "directory of the records")
	c.Flags().BoolVar(&open, "open", false, "show the page in a browser")
	return c
}

// show lets the desktop show a page.
func show(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if said, err := exec.CommandContext(ctx, "xdg-open", path).CombinedOutput(); err != nil {
		return usage(fmt.Errorf("xdg-open could not show it: %w\n%s", err, said))
	}
	return nil
}
