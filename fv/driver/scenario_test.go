package driver

import (
	"testing"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// able is a SUT that has these features.
type able struct {
	engine.SUT
	features map[workloads.Feature]bool
}

func (a able) HasFeature(name workloads.Feature) bool { return a.features[name] }

func TestSkippedForWhatIsMissing(t *testing.T) {
	sut := able{features: map[workloads.Feature]bool{"ipv6": true}}
	for name, c := range map[string]struct {
		needs   []workloads.Feature
		obeyed  bool
		skipped bool
	}{
		"no need":                     {nil, false, false},
		"a feature that is there":     {[]workloads.Feature{"ipv6"}, false, false},
		"one that is not":             {[]workloads.Feature{"ipv6", "sctp"}, true, true},
		"restarts":                    {[]workloads.Feature{workloads.Restarts}, true, false},
		"restarts that nobody grants": {[]workloads.Feature{workloads.Restarts}, false, true},
	} {
		if why := skipped(engine.Scenario{Needs: c.needs}, sut, c.obeyed); (why != "") != c.skipped {
			t.Errorf("%s: %q", name, why)
		}
	}
}
