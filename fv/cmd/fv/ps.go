package main

import (
	"bytes"
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
	var rows bytes.Buffer
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tTARGET\tRUNTIME\tAGE\tOWNER\tSTATE")
	for _, e := range all {
		state := e.State
		if e.State == harness.UnderWay && e.PID != 0 {
			state = fmt.Sprintf("%s (%d)", state, e.PID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Run, strings.TrimSpace(e.Target+" "+e.Version), e.Runtime, age(now.Sub(e.Created)), e.Owner, state)
	}
	_ = w.Flush() // a buffer takes all
	head, rest, _ := strings.Cut(rows.String(), "\n")
	fmt.Fprintln(out, head)
	i := 0
	for line := range strings.Lines(rest) {
		_, err := io.WriteString(out, line)
		if how := reached(all[i]); how != "" && err == nil {
			_, err = fmt.Fprintf(out, "  %s\n", how)
		}
		if err != nil {
			return err
		}
		i++
	}
	return nil
}

// reached is how a person reaches the environment; empty: not at all.
func reached(e harness.Environment) string {
	switch {
	case e.Access == nil, e.Access.Inside && e.State != harness.Kept:
		return ""
	case e.Access.Inside:
		return "fv exec -t --run " + e.Run + " -- bash"
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
