package fv

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

// fuzzing is the suite of an order to the fuzzer.
func fuzzing(h infra.Handoff) ([]engine.Scenario, error) {
	var order fuzz.Order
	if err := json.Unmarshal(h.Fuzz, &order); err != nil {
		return nil, fmt.Errorf("read the order to the fuzzer: %w", err)
	}
	sc, err := order.Scenario(h.Seed, fuzz.Means{
		Saboteur: saboteur{}, Mourner: mourner{}, Out: h.Out, Tell: func(format string, a ...any) { fmt.Printf("\n"+format+"\n", a...) },
	})
	return []engine.Scenario{sc}, err
}

// mourner lets the fuzzer go on when the SUT dies.
type mourner struct{}

func (mourner) Guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	suite.guardAlone(cancel)
	return ctx, func() {
		suite.guardAlone(nil)
		cancel(nil)
	}
}

func (mourner) Death(ctx context.Context) (string, error) {
	why, err := infra.AskDeath(ctx, os.Stdout, suite.handoff.Out)
	if err == nil {
		suite.restarted() // another one runs, which knows nothing of what is gone
	}
	return why, err
}
