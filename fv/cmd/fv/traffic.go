package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/workloads/load"
)

func trafficCommand() *cobra.Command {
	var o load.Order
	var run, out, protocol, format, from, to string
	c := &cobra.Command{
		Use: "traffic", Short: "Make continuous traffic on a running environment, and account for every message", Args: cobra.NoArgs,
		Long: `traffic starts pods on the node of a running environment, lets all others send to the first (or to a
service), and says what became of each message and connection. A message is due when it is due, whatever
became of those before, and latency counts from then. What became of it is printed, how it goes stands on
the error stream. The record has all of it: traffic.json, a log of latencies for HdrHistogram's tools
(traffic.hlog), plots, and the page. While it goes on, fv impair makes links worse, or one connection.

Exit codes as of fv run: 1 if the traffic was worse than a budget (--max-lost, --max-failed, --max-hole, --p99) allows.`,
		Example: `  fv traffic --protocol udp --connections 20 --rate 2000 --for 1m --max-lost 0
  fv traffic --idle --connections 10000 --for 5m --max-failed 0
  fv traffic --from remote --pods 200 --connections 400 --for 30s
  fv traffic --to service --servers 4 --pods 6 --connections 100 --for 30s
  fv traffic --closed --protocol http --size 4096 --for 30s`,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(fmt.Errorf("--format %s: must be text or json", format))
			}
			o.Spec.Protocol, o.From, o.To = load.Protocol(protocol), load.Ends(from), load.Ends(to)
			if o.To == load.OfService {
				if !c.Flags().Changed("servers") {
					o.Behind = 4
				}
				if !c.Flags().Changed("pods") {
					o.Pods = o.Behind + 1
				}
			}
			for flag, clear := range map[string]func(){
				"max-lost": func() { o.Budget.Lost = nil }, "max-failed": func() { o.Budget.Failed = nil },
				"max-hole": func() { o.Budget.Hole = nil }, "p99": func() { o.Budget.P99 = nil },
			} {
				if !c.Flags().Changed(flag) {
					clear()
				}
			}
			if err := o.Check(); err != nil {
				return usage(fmt.Errorf("%w; see `fv traffic --help`", err))
			}
			h, err := openOn(c, os.Stderr) // so that the result stands alone
			if err != nil {
				return err
			}
			return ended(h.Traffic(c.Context(), run, out, o, format == "json", c.OutOrStdout()))
		},
	}
	o.Budget = load.Budget{Lost: new(uint64), Failed: new(int), Hole: new(time.Duration), P99: new(time.Duration)}
	f := c.Flags()
	f.StringVar(&run, "run", "", "the environment's run (default: the only one)")
	outFlag(f, &out)
	f.StringVarP(&format, "format", "f", "text", "text or json, in which durations are nanoseconds")
	f.StringVar(&from, "from", string(load.OfPods), "what sends: pods (of the node), remote (pods of another node, each with an address of its own) or node")
	f.StringVar(&to, "to", string(load.OfPods), "what answers: pods, remote, node, or service (an address that a route with several next hops leads to servers by)")
	f.IntVar(&o.Pods, "pods", 2, "pods; all but the first send to it (of a service: all but its servers; default there one more than these)")
	f.IntVar(&o.Behind, "servers", 0, "of a service: how many of the pods serve it (default 4)")
	f.BoolVar(&o.IPv6, "ipv6", false, "the pods have an IPv6 address as well, and connections are spread over both families")
	f.StringVar(&protocol, "protocol", string(load.TCP), "tcp, udp or http")
	f.IntVar(&o.Spec.Connections, "connections", 10, "connections, spread over the pods")
	f.Float64Var(&o.Spec.Rate, "rate", 100, "messages a second, of all connections together")
	f.IntVar(&o.Spec.Size, "size", 64, "bytes of a message")
	f.DurationVar(&o.Spec.Duration, "for", 10*time.Second, "how long; 0: until it is interrupted, a day at most")
	f.BoolVar(&o.Spec.Closed, "closed", false, "closed loop: a connection sends when it has its answer; --rate is not heeded")
	f.BoolVar(&o.Spec.Idle, "idle", false, "connections say nothing until the end, and then prove by one message that they live")
	f.Float64Var(&o.Spec.ConnectRate, "connect-rate", 5000, "connections begun a second")
	f.IntVar(&o.Spec.Reconnects, "reconnects", 0, "how often at most a connection that ended is begun again")
	f.DurationVar(&o.Spec.ReconnectWait, "reconnect-wait", 100*time.Millisecond, "how long after its end")
	f.DurationVar(&o.Spec.Late, "late", 100*time.Millisecond, "answers later than this are late, and what waits for them is in a hole")
	f.DurationVar(&o.Spec.GiveUp, "give-up", time.Second, "datagrams without an answer for so long are lost")
	f.Uint64Var(o.Budget.Lost, "max-lost", 0, "fail if more messages are lost (default: no bound)")
	f.IntVar(o.Budget.Failed, "max-failed", 0, "fail if more connections end before the traffic does (default: no bound)")
	f.DurationVar(o.Budget.Hole, "max-hole", 0, "fail if nothing that was due was answered in time for longer (default: no bound)")
	f.DurationVar(o.Budget.P99, "p99", 0, "fail if one answer in a hundred takes longer (default: no bound)")
	return c
}
