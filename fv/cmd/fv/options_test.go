package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra/build"
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

// TestTargetOfEachCommand wants every command that starts or builds something to know what, unless it is told.
func TestTargetOfEachCommand(t *testing.T) {
	for _, c := range []*cobra.Command{runCommand(), upCommand(), faultsCommand(), fuzzCommand(), replayCommand(), mutantsCommand(), benchCommand(), imagesCommand()} {
		flag := c.Flags().Lookup("target")
		if flag == nil {
			t.Errorf("%s has no --target", c.Name())
			continue
		}
		if _, err := targets.Find(flag.DefValue); err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
}

func TestExtras(t *testing.T) {
	for words, want := range map[string][]string{"": nil, "--typha": {"typha"}, "--typha=false": {}, "--typha --typha": {"typha"}} {
		var o environmentOptions
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.flags(f)
		if err := f.Parse(strings.Fields(words)); err != nil || !slices.Equal(o.extras, want) || (o.extras == nil) != (want == nil) {
			t.Errorf("%q: got %#v, %v", words, o.extras, err)
		}
	}
}

func TestVersionsAreOfTheTarget(t *testing.T) {
	root, err := projectRoot()
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{builder: &build.Builder{Root: root}}
	for _, i := range targets.All() {
		versions := h.versions(i.Name)
		for _, other := range targets.All() {
			if (versions[other.Name] != "") != (other.Name == i.Name) {
				t.Errorf("%s: %v", i.Name, versions)
			}
		}
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
