package driver

import (
	"context"

	"github.com/nodefv/nodefv/infra"
)

// mourner lets the fuzzer go on when the SUT dies.
type mourner struct{ *Driver }

func (m mourner) Guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	m.guardAlone(cancel)
	return ctx, func() {
		m.guardAlone(nil)
		cancel(nil)
	}
}

func (m mourner) Death(ctx context.Context) (string, error) {
	why, err := infra.AskDeath(ctx, m.out, m.handoff.Out)
	if err == nil {
		m.restarted() // another one runs, which knows nothing of what is gone
	}
	return why, err
}
