package harness

import (
	"testing"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
)

func TestFaultsAskForSettingsThatTheTargetKnows(t *testing.T) {
	for _, f := range faults.All() {
		if _, err := targets.New("felix", targets.Options{Settings: f.Settings}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if _, err := targets.New("felix", targets.Options{Settings: []workloads.Setting{"no such word"}}); err == nil {
		t.Error("felix knows every word")
	}
}
