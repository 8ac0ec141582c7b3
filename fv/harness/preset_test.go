package harness

import (
	"slices"
	"testing"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/sweep"
)

// TestInstancesInPresets wants a preset to vary the number of instances only of what can run in several.
func TestInstancesInPresets(t *testing.T) {
	for _, info := range targets.All() {
		for _, plane := range info.DataPlanes {
			o := SweepOptions{Options: Options{Target: info.Name, DataPlane: plane}}
			plans, err := sweep.PlansOf("micro", 1000, sweep.Plan{Rounds: 1, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			all := len(plans)
			left := o.possible(plans)
			varies := slices.ContainsFunc(left, func(p sweep.Plan) bool { return p.Axes[0].Name == sweep.InstancesAxis })
			if want := info.Name == "traefik" && plane != "gateway"; varies != want || len(left) < all-1 {
				t.Errorf("%s, %s: instances vary: %v, %d of %d plans", info.Name, plane, varies, len(left), all)
			}
		}
	}
}
