package driver

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/scenarios/fuzz"
)

func TestScenariosAreWhatTheHandoffAsksFor(t *testing.T) {
	library, err := scenarios.All(scenarios.Params{})
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(fuzz.Order{Ops: 10})
	if err != nil {
		t.Fatal(err)
	}
	fault := faults.All()[0].Name
	for name, c := range map[string]struct {
		handoff infra.Handoff
		first   string
		count   int // 0: an error
	}{
		"nothing in particular": {infra.Handoff{}, library[0].Name, len(library)},
		"parameters":            {infra.Handoff{Parameters: map[string]string{"cycles": "2"}}, library[0].Name, len(library)},
		"no parameter":          {infra.Handoff{Parameters: map[string]string{"no such": "2"}}, "", 0},
		"a fault":               {infra.Handoff{Fault: fault}, fault, 1},
		"no fault":              {infra.Handoff{Fault: "no such"}, "", 0},
		"an order":              {infra.Handoff{Fuzz: order}, "fuzz", 1},
		"no order":              {infra.Handoff{Fuzz: json.RawMessage("7")}, "", 0},
	} {
		got, err := New(c.handoff, io.Discard).Scenarios()
		if (err != nil) != (c.count == 0) || len(got) != c.count || c.count > 0 && got[0].Name != c.first {
			t.Errorf("%s: %d scenarios, %v", name, len(got), err)
		}
	}
}
