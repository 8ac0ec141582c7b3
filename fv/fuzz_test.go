package fv

import (
	"encoding/json"
	"fmt"

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
		Saboteur: saboteur{}, Out: h.Out, Tell: func(format string, a ...any) { fmt.Printf("\n"+format+"\n", a...) },
	})
	return []engine.Scenario{sc}, err
}
