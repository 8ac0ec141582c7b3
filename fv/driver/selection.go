package driver

import (
	"encoding/json"
	"fmt"

	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/scenarios/leak"
)

// Scenarios returns what the handoff asks for: a fault, an order to the fuzzer or to look for leaks, or the library with the user's parameters. The driver need
// not be open yet.
func (d *Driver) Scenarios() ([]engine.Scenario, error) {
	switch h := d.handoff; {
	case h.Fault != "":
		fault, err := faults.Find(h.Fault)
		if err != nil {
			return nil, err
		}
		return []engine.Scenario{faults.Bed(fault, saboteur{d})}, nil
	case h.Fuzz != nil:
		var order fuzz.Order
		if err := json.Unmarshal(h.Fuzz, &order); err != nil {
			return nil, fmt.Errorf("read the order to the fuzzer: %w", err)
		}
		sc, err := d.Fuzzing(order)
		return []engine.Scenario{sc}, err
	case h.Leak != nil:
		var order leak.Order
		if err := json.Unmarshal(h.Leak, &order); err != nil {
			return nil, fmt.Errorf("read the order to look for leaks: %w", err)
		}
		sc, err := order.Scenario()
		return []engine.Scenario{sc}, err
	}
	params, err := scenarios.ParseParams(d.handoff.Parameters)
	if err != nil {
		return nil, err
	}
	return scenarios.All(params)
}

// Fuzzing returns the scenario that carries out an order to the fuzzer.
func (d *Driver) Fuzzing(order fuzz.Order) (engine.Scenario, error) {
	return order.Scenario(d.handoff.Seed, fuzz.Means{
		Saboteur: saboteur{d}, Mourner: mourner{d}, Out: d.handoff.Out,
		Tell: func(format string, a ...any) { fmt.Fprintf(d.out, "\n"+format+"\n", a...) },
	})
}
