package harness

import (
	"testing"

	"github.com/nodefv/nodefv/scenarios"
)

func TestFocused(t *testing.T) {
	all, err := scenarios.All(scenarios.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for focus, want := range map[string]int{"": len(all), "^pod churn$": 1, "no such scenario": -1, "(": -1} {
		named, err := focused(focus, all)
		if (err != nil) != (want < 0) || err == nil && len(named) != want {
			t.Errorf("--focus %q: %d scenarios, %v", focus, len(named), err)
		}
	}
}

func TestLabelled(t *testing.T) {
	all, err := scenarios.All(scenarios.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for filter, ok := range map[string]bool{
		"": true, "basic": true, "churn && !slow": true, "/ba.*/": true, "nope": false, "&&": false, "basic && slow": false,
	} {
		if _, err := labelled(filter, all, all); (err == nil) != ok {
			t.Errorf("--labels %q: %v", filter, err)
		}
	}
}
