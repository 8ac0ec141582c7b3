package driver

import (
	"testing"

	"github.com/nodefv/nodefv/scenarios/engine"
)

// able is a SUT that has these features.
type able struct {
	engine.SUT
	features map[string]bool
}

func (a able) HasFeature(name string) bool { return a.features[name] }

func TestSkippedForWhatIsMissing(t *testing.T) {
	sut := able{features: map[string]bool{"ipv6": true}}
	for name, c := range map[string]struct {
		needs   []string
		obeyed  bool
		skipped bool
	}{
		"no need":                     {nil, false, false},
		"a feature that is there":     {[]string{"ipv6"}, false, false},
		"one that is not":             {[]string{"ipv6", "sctp"}, true, true},
		"restarts":                    {[]string{engine.Restarts}, true, false},
		"restarts that nobody grants": {[]string{engine.Restarts}, false, true},
	} {
		if why := skipped(engine.Scenario{Needs: c.needs}, sut, c.obeyed); (why != "") != c.skipped {
			t.Errorf("%s: %q", name, why)
		}
	}
}
