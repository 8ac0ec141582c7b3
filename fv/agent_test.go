package fv

import (
	"context"
	"os"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// agent is the SUT's program, which the harness stops and starts when it is asked to.
type agent struct{ *driver }

var _ engine.Agent = agent{}

func (a agent) Stop(ctx context.Context) error {
	a.restarting.Store(true)
	return infra.AskStop(ctx, os.Stdout, a.handoff.Out)
}

func (a agent) Start(ctx context.Context) error {
	defer a.restarted()
	return infra.AskStart(ctx, os.Stdout, a.handoff.Out)
}

// restarted notes that an end of the SUT is asked for no more.
func (d *driver) restarted() {
	d.restarting.Store(false)
	d.mu.Lock()
	fleet := d.now.fleet
	d.mu.Unlock()
	if fleet != nil {
		fleet.AgentRestarted()
	}
}
