package harness

import (
	"slices"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

func TestChooseRuns(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // where it is looked up which runs are kept
	old := time.Now().Add(-time.Hour)
	all := []placedRun{
		{RunInfo: infra.RunInfo{Run: "busy", Created: old, Owner: lifecycle.Self()}},
		{RunInfo: infra.RunInfo{Run: "orphan", Created: old}},
	}
	for name, c := range map[string]struct {
		named []string
		all   bool
		want  []string // nil: an error
	}{
		"none named":      {nil, false, []string{"orphan"}},
		"all":             {nil, true, []string{"busy", "orphan"}},
		"a busy one":      {[]string{"busy"}, false, []string{"busy"}},
		"one that is not": {[]string{"busy", "other"}, false, nil},
	} {
		chosen, err := chooseRuns(all, c.named, c.all)
		var got []string
		for _, r := range chosen {
			got = append(got, r.Run)
		}
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
