package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/scenarios/steer"
)

func uiCommand() *cobra.Command {
	var stage steer.Stage
	var run, out string
	var port int
	c := &cobra.Command{
		Use: "ui", Short: "See a running environment on a page, and steer it", Args: cobra.NoArgs,
		Long: `ui makes a cluster on the node of a running environment and serves a page on which you see its nodes, workloads and flows live, start and
stop traffic and churn, make one connection or link worse and see what was achieved, put policies in force, and restart or freeze the agent.
The page is served on this machine's loopback alone, and only to who knows the token in its address. Ctrl-C ends all of it in order.

What was done can be saved as a scenario; the record has it, too. Exit codes as of fv run: 1 if the agent did something wrong meanwhile.`,
		Example: `  fv up && fv ui
  fv ui --namespaces 10 --pods 20 --port 8080`,
		RunE: func(c *cobra.Command, _ []string) error {
			if all := stage.Namespaces * stage.Pods; !c.Flags().Changed("local") && stage.Nodes > 1 {
				stage.Local = all - all/5
			}
			err := stage.Check()
			if port < 0 || port > 65535 {
				err = errors.Join(err, fmt.Errorf("--port %d: want 0 to 65535", port))
			}
			if err != nil {
				return usage(err)
			}
			if err := errors.Join(harness.CheckRun(run), harness.CheckOut(out)); err != nil {
				return err
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			served := false
			err = ended(h.UI(c.Context(), run, out, stage, port, func(url string) {
				served = true
				fmt.Fprintf(c.OutOrStdout(), "\n  open  %s\n  end   Ctrl-C\n\n", url)
			}))
			if err != nil && served {
				err = &judgedError{err}
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&run, "run", "", "the environment's run (default: the only one)")
	outFlag(f, &out)
	f.IntVar(&port, "port", 0, "of 127.0.0.1, which the page is served on; 0: any")
	f.IntVar(&stage.Nodes, "nodes", 3, "nodes of the cluster, the local one included")
	f.IntVar(&stage.Namespaces, "namespaces", 3, "namespaces")
	f.IntVar(&stage.Pods, "pods", 5, "pods in each namespace")
	f.IntVar(&stage.Local, "local", -1, "pods on the local node, -1 for all (default: four of five)")
	f.BoolVar(&stage.DualStack, "ipv6", false, "pods have an IPv6 address as well")
	return c
}
