package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/infra/targets/all"
)

func imagesCommand() *cobra.Command {
	var o environmentOptions
	var prune bool
	c := &cobra.Command{
		Use: "images", Short: "Build the images that are missing, and list them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			h, err := newHarness(ctx)
			if err != nil {
				return err
			}
			if err := h.choose(runtimeDocker); err != nil {
				return err
			}
			info, err := targets.Find(o.target)
			if err != nil {
				return usage(err)
			}
			for _, c := range info.Components {
				o.extras = append(o.extras, c.Extra)
			}
			if err := h.prepare(ctx, o); err != nil {
				return err
			}
			if prune {
				if _, err := h.docker.Images.Prune(ctx); err != nil {
					return err
				}
			}
			images, err := h.docker.Images.List(ctx)
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
	c.Flags().StringVar(&o.target, "target", all.Default, "the agent whose images are built: "+targetNames())
	c.Flags().BoolVar(&prune, "prune", false, "remove our images that are neither current nor in use")
	return c
}
