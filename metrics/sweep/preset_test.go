package sweep

import (
	"slices"
	"testing"
)

// TestPresets wants the plans of presets to be possible on small and on large machines, and macro to have nine cells.
func TestPresets(t *testing.T) {
	for _, capacity := range []float64{50, 3456, 1e6} {
		for _, name := range []string{"micro", "macro"} {
			plans, err := PlansOf(name, capacity, Plan{Rounds: 2, Seed: 1, Params: map[string]string{"payload": "22000"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range plans {
				if varies := p.Axes[0].Name == "payload"; !varies && p.Params["payload"] != "22000" {
					t.Errorf("%s: what is wanted is not heeded: %v", name, p.Params)
				}
				if err := p.Check(); err != nil {
					t.Errorf("%s at %.0f/s: %v", name, capacity, err)
				}
			}
			if name == "macro" && len(plans[0].Cells()) != 18 {
				t.Errorf("macro at %.0f/s has %d cells in two rounds", capacity, len(plans[0].Cells()))
			}
		}
	}
	if got := requestsOf(3456, 0.1, 0.3, 0.6); !slices.Equal(got, []string{"350", "1000", "2100"}) {
		t.Errorf("shares of 3456: %v", got)
	}
	if _, err := PlansOf("huge", 1, Plan{Rounds: 1}); err == nil {
		t.Error("an unknown preset is not refused")
	}
}
