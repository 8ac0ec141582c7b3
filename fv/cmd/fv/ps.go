package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
)

func psCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "ps", Short: "Show the environments on this machine, whose they are and how to reach them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := open(c)
			if err != nil {
				return err
			}
			all, err := h.Environments(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(all)
			}
			return environments(c.OutOrStdout(), all, time.Now())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// environments prints the table.
func environments(out io.Writer, all []harness.Environment, now time.Time) error {
	if len(all) == 0 {
		fmt.Fprintln(out, "no environment; `fv up` starts one")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tTARGET\tRUNTIME\tAGE\tOWNER\tSTATE\tREACHED BY")
	for _, e := range all {
		state := e.State
		if e.State == harness.UnderWay && e.PID != 0 {
			state = fmt.Sprintf("%s (%d)", state, e.PID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Run, strings.TrimSpace(e.Target+" "+e.Version), e.Runtime, age(now.Sub(e.Created)), e.Owner, state, reached(e))
	}
	return w.Flush()
}

// reached is how a person reaches the environment.
func reached(e harness.Environment) string {
	switch {
	case e.Access == nil:
		return "-"
	case e.Access.Inside:
		return "fv exec --run " + e.Run + " -- sh"
	}
	return "KUBECONFIG=" + e.Access.Kubeconfig
}

// age is a time in its two largest units.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
