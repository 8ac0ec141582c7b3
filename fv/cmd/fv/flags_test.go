package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra/targets"
)

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
		var o harness.Options
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		environmentFlags(f, &o)
		if err := f.Parse(strings.Fields(words)); err != nil || !slices.Equal(o.Extras, want) || (o.Extras == nil) != (want == nil) {
			t.Errorf("%q: got %#v, %v", words, o.Extras, err)
		}
	}
}

func TestGinkgoFlags(t *testing.T) {
	got := ginkgoFlags([]string{"-v", "--dry-run", "--ginkgo.trace", "--test.count=2", "5s"})
	if want := []string{"--ginkgo.v", "--ginkgo.dry-run", "--ginkgo.trace", "--test.count=2", "5s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
