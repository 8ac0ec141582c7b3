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

func TestFaultsThatCantBeMadeSayWhy(t *testing.T) {
	for _, c := range []struct{ target, dataPlane, fault, says string }{
		{"felix", "", "a route removed", ""},
		{"felix", "", "agent panics", ""},
		{"felix", "", "wrong backend", "the target has no proxied requests"},
		{"kube-router", "", "agent killed", ""},
		{"kube-router", "", "agent panics", `kube-router knows no setting "panics"`},
		{"traefik", "http-unpublished", "wrong backend", ""},
		{"traefik", "gateway", "wrong backend", "the target has no http-routing"},
		{"traefik", "http", "agent killed", "the target is no agent of the network of pods"},
		{"contour", "", "agent killed", "the target is no agent of the network of pods"},
	} {
		f, err := faults.Find(c.fault)
		if err != nil {
			t.Fatal(err)
		}
		if why, err := Impossible(Options{Target: c.target, DataPlane: c.dataPlane}, f); why != c.says || err != nil {
			t.Errorf("%s, %s: %q, %v", c.target, c.fault, why, err)
		}
	}
}
