package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/infra/targets/all"
)

func imagesCommand() *cobra.Command {
	var target string
	var prune bool
	c := &cobra.Command{
		Use: "images", Short: "Build the images that are missing, and list them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := targets.Find(target); err != nil {
				return usage(fmt.Errorf("--target: %w", err))
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			images, err := h.Images(c.Context(), target, prune)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, i := range images {
				fmt.Fprintf(w, "%s\t%s\t%.0f MB\n", i.Component, i.Ref, float64(i.Size)/1e6)
			}
			return w.Flush()
		},
	}
	c.Flags().StringVar(&target, "target", all.Default, "the agent whose images are built: "+targetNames())
	c.Flags().BoolVar(&prune, "prune", false, "remove our images that are neither current nor in use")
	return c
}
