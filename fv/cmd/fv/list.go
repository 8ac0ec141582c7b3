package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/scenarios"
)

func listCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "Show the scenarios, their labels and what each proves", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := scenarios.All(scenarios.Params{})
			if err != nil {
				return err
			}
			if asJSON {
				type row struct {
					Name   string   `json:"name"`
					Labels []string `json:"labels"`
					Doc    string   `json:"doc"`
				}
				rows := []row{}
				for _, s := range all {
					rows = append(rows, row{s.Name, s.LabelNames(), s.Doc})
				}
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(rows)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, s := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, strings.Join(s.LabelNames(), ","), s.Doc)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
