package driver

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// agent is the SUT's program, which the harness stops and starts when it is asked to.
type agent struct{ *Driver }

var _ engine.Agent = agent{}

func (a agent) Stop(ctx context.Context) error {
	a.restarting.Store(true)
	a.mu.Lock()
	a.away = make(chan struct{})
	a.mu.Unlock()
	err := infra.AskStop(ctx, a.out, a.handoff.Out)
	if err != nil { // nobody starts what was not stopped
		a.back()
		a.restarting.Store(false)
	}
	return err
}

func (a agent) Start(ctx context.Context) error {
	defer a.restarted()
	defer a.back()
	return infra.AskStart(ctx, a.out, a.handoff.Out)
}

// back notes that the SUT's program is held back no more.
func (d *Driver) back() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		close(d.away)
		d.away = nil
	}
}

// awaitBack waits while the SUT's program is held back.
func (d *Driver) awaitBack(ctx context.Context) {
	d.mu.Lock()
	away := d.away
	d.mu.Unlock()
	if away == nil {
		return
	}
	select {
	case <-away:
	case <-ctx.Done():
	}
}

// restart has the harness restart a part of the environment.
func (d *Driver) restart(ctx context.Context, role string) error {
	if role == infra.RoleAgent {
		d.restarting.Store(true)
		defer d.restarted()
	}
	return infra.AskRestart(ctx, d.out, d.handoff.Out, role)
}

// freeze stops the SUT's process while it is done.
func (d *Driver) freeze(do func() error) error {
	pid, err := d.process()
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return fmt.Errorf("freeze the SUT: %w", err)
	}
	err = do()
	if thawed := unix.Kill(pid, unix.SIGCONT); thawed != nil {
		return errors.Join(err, fmt.Errorf("let the SUT go on: %w", thawed))
	}
	return err
}

// restarted notes that an end of the SUT is asked for no more.
func (d *Driver) restarted() {
	d.restarting.Store(false)
	d.mu.Lock()
	world := d.now.world
	d.mu.Unlock()
	if world != nil {
		world.Fleet.AgentRestarted()
	}
}
