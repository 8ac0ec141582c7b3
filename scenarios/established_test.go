package scenarios

import (
	"context"
	"maps"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// TestEstablishedFlowsAreForbidden runs the changes of the scenario against the model: each must forbid what was allowed, by a policy of the
// direction that it names, and the stage be as it was in the end.
func TestEstablishedFlowsAreForbidden(t *testing.T) {
	w := modelOf(t, engine.Scenario{Topology: stage, Arrange: arrangeStage})
	fleet := w.Fleet
	before := fleet.State()
	allowed := func(f effects.Flow) bool {
		s := fleet.State()
		sends := s.Pods().Has(f.From.Key)
		receives := s.Pods().Has(f.To.Key)
		from, to := workloads.Endpoint{Pod: f.From.Key, Addr: f.From.Addr}, workloads.Endpoint{Pod: f.To.Key, Addr: f.To.Addr}
		return sends && receives && workloads.NewIndex(s).Passes(from, to, f.Protocol, f.Port).Allowed
	}
	seen := map[string]int{}
	forbidden := func(ctx context.Context, _ *engine.World, c effects.Forbidding) error {
		for _, f := range c.Flows {
			if !allowed(f) {
				t.Errorf("%s, %s: %s is denied before", c.Operation, c.Direction, f)
			}
		}
		if err := c.Do(ctx); err != nil {
			return err
		}
		for _, f := range c.Flows {
			policed, kind := f.To, networkingv1.PolicyTypeIngress
			if c.Direction == "out" {
				policed, kind = f.From, networkingv1.PolicyTypeEgress
			}
			if allowed(f) || policed.Key != onStage(w, 0, server).Key {
				t.Errorf("%s, %s: %s is allowed after", c.Operation, c.Direction, f)
			}
			for _, p := range fleet.State().Policies().All() {
				if !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{kind}) {
					t.Errorf("%s, %s: %s holds for %v", c.Operation, c.Direction, p.Key, p.Spec.PolicyTypes)
				}
			}
			seen[c.Operation+" "+string(f.Protocol)+" "+c.Direction]++
		}
		return nil
	}
	if err := forbidAll(t.Context(), w, forbidden); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 20 {
		t.Errorf("forbidden: %v", slices.Sorted(maps.Keys(seen)))
	}
	if after := fleet.State(); !after.Equal(before) {
		t.Errorf("the stage was %+v and is %+v", before, after)
	}
}
