package main

import (
	"slices"
	"testing"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/faults"
)

func TestFaultsAskForSettingsThatTheTargetKnows(t *testing.T) {
	for _, f := range faults.All() {
		if _, err := targets.New("felix", targets.Options{Settings: f.Settings}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if _, err := targets.New("felix", targets.Options{Settings: []string{"no such word"}}); err == nil {
		t.Error("felix knows every word")
	}
}

func TestFocused(t *testing.T) {
	all, err := scenarios.All(scenarios.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for focus, want := range map[string]int{"": len(all), "^pod churn$": 1, "no such scenario": -1, "(": -1} {
		names, err := focused(focus, all)
		if (err != nil) != (want < 0) || err == nil && len(names) != want {
			t.Errorf("--focus %q: %q, %v", focus, names, err)
		}
	}
}

func TestCheckLabels(t *testing.T) {
	all, err := scenarios.All(scenarios.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for filter, ok := range map[string]bool{
		"": true, "basic": true, "churn && !slow": true, "/ba.*/": true, "nope": false, "&&": false, "basic && slow": false,
	} {
		if err := checkLabels(filter, all); (err == nil) != ok {
			t.Errorf("--labels %q: %v", filter, err)
		}
	}
}

func TestGinkgoFlags(t *testing.T) {
	got := ginkgoFlags([]string{"-v", "--dry-run", "--ginkgo.trace", "--test.count=2", "5s"})
	if want := []string{"--ginkgo.v", "--ginkgo.dry-run", "--ginkgo.trace", "--test.count=2", "5s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSpread(t *testing.T) {
	if got, want := spread([]float64{3, 1, 200, 2}), "2.50 (1.00–200)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := spread(nil); got != "–" {
		t.Errorf("nothing is %q", got)
	}
}
