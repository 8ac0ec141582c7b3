package faults

import (
	"context"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// What loses packets that nobody ordered to be lost. A rule that comes before all of the SUT's drops one of a hundred that the node forwards.
var _ = register(Fault{
	Name: "one packet in a hundred lost", Want: metrics.Fail,
	Causes: []Cause{
		{Probe: "connections", Aspect: report.Packets, Kind: report.Flow, Want: "connected"},
		{Probe: "never wrong", Aspect: report.Packets, Kind: report.Flow, Want: "no packet dropped"},
	},
	Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
		program := iptables(s.Backend())
		if program == "" {
			program = "iptables"
		}
		_, err := s.Run(ctx, program, "-w", "-t", "raw", "-I", "PREROUTING", "-d", workloads.PoolV4.String(),
			"-m", "statistic", "--mode", "random", "--probability", "0.01", "-j", "DROP")
		return err
	},
})
