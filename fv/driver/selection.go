package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/scenarios/steer"
	"github.com/nodefv/nodefv/workloads/load"
)

// Scenarios returns what the handoff asks for: a fault, an order to the fuzzer, to look for leaks or for traffic, a stage to steer, or the library with the
// user's parameters. The driver need not be open yet.
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
	case h.Steer != nil:
		var stage steer.Stage
		if err := json.Unmarshal(h.Steer, &stage); err != nil {
			return nil, fmt.Errorf("read the stage that is to be steered: %w", err)
		}
		return []engine.Scenario{steer.Live(stage, d.steered)}, nil
	case h.Traffic != nil:
		var order load.Order
		if err := json.Unmarshal(h.Traffic, &order); err != nil {
			return nil, fmt.Errorf("read the order for traffic: %w", err)
		}
		return []engine.Scenario{scenarios.OrderedTraffic(order, d.tellTraffic)}, nil
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

// tellTraffic puts what became of ordered traffic into the record's folder: as traffic.json, which the harness tells, and as a log of latencies
// for HdrHistogram's tools. Impairments end with it, so that they don't disturb what is checked at the end.
func (d *Driver) tellTraffic(r load.Report) error {
	if err := d.wire.mendAll(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var log bytes.Buffer
	if err := r.WriteLog(&log); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(d.handoff.Out, load.ReportFile), append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(d.handoff.Out, load.LogFile), log.Bytes(), 0o644))
}
