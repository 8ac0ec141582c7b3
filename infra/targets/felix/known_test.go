package felix

import (
	"testing"

	"github.com/nodefv/nodefv/infra/targets"
)

func TestKnownIssuesOfReleases(t *testing.T) {
	felix, err := targets.New("felix", targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for release, want := range map[string]int{
		"v3.28.5": 0, "v3.29.0": 1, "v3.30.1": 1, "v3.30.4": 1, "v3.30.5": 0, "v3.30.7": 0, "v3.31.0": 1, "v3.31.2": 1, "v3.31.3": 0, "v3.31.5": 0, "v3.32.1": 0,
		"v3.31.0-12-gabcdef": 1, "v3.31.0-dirty": 1, "v3.31.3-7-gabcdef": 0, "v3.30.5-dirty": 0, "v3.31.3-2-gabcdef-dirty": 0, "v3.33.0-0.dev": 0,
	} {
		known, unexcused := targets.KnownIssues(felix, release)
		if len(known) != want || unexcused != "" {
			t.Errorf("%s: %d issues, want %d; %s", release, len(known), want, unexcused)
		}
	}
	for _, release := range []string{"", "master", "/usr/bin/calico-felix"} {
		if known, unexcused := targets.KnownIssues(felix, release); len(known) != 0 || unexcused == "" {
			t.Errorf("%q excuses %v, and says %q", release, known, unexcused)
		}
	}
}
