package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// A policy is changed so often in so short a time. A machine that is too slow for it gets several tries, and then no verdict.
const (
	revisions    = 10
	revisionTime = 100 * time.Millisecond
	revisionTry  = 50
)

// errSlow is what a machine makes of the scenario that can't write as fast as it needs.
var errSlow = errors.New("the machine is too slow")

// drafts are what the revisions say in turn, each of them unlike the one before.
var drafts = []func(*networkingv1.NetworkPolicySpec){
	func(*networkingv1.NetworkPolicySpec) {},
	func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].Ports = on(effects.Ports[1]) },
	func(s *networkingv1.NetworkPolicySpec) {
		s.Ingress[0].From[0].NamespaceSelector = label("tier", "back")
	},
	func(s *networkingv1.NetworkPolicySpec) { s.PodSelector = *label("role", "nobody") },
	func(s *networkingv1.NetworkPolicySpec) { s.Ingress = nil },
	func(s *networkingv1.NetworkPolicySpec) { s.PodSelector = *label("role", "client") },
	func(s *networkingv1.NetworkPolicySpec) { s.Ingress[0].From = nil },
}

var _ = register(func(p Params) engine.Scenario {
	return engine.Scenario{
		Name:     "ten revisions of a policy",
		Doc:      "A policy is changed ten times within 100 ms; the last revision must hold, whichever of seven it is.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			guarding,
			{Name: "revise", Repeat: or(p.Cycles, len(drafts)), Do: func(ctx context.Context, w *engine.World) error {
				draft := func(turn int) func(context.Context, *engine.World) error {
					return changeGuard(drafts[(w.Cycle+turn+len(drafts))%len(drafts)])
				}
				fastest := time.Hour
				for range revisionTry {
					begun := time.Now()
					for i := range revisions - 1 {
						if err := draft(1+i%(len(drafts)-1))(ctx, w); err != nil {
							return err
						}
					}
					if err := draft(0)(ctx, w); err != nil { // the cycle's own, and none of those before
						return err
					}
					took := time.Since(begun)
					if took <= revisionTime {
						return nil
					}
					fastest = min(fastest, took)
					// The next try begins as this one did, with an agent that has seen it: else its last revision would be one that was there before.
					if err := w.Converge(ctx); err != nil {
						return err
					}
					if err := draft(-1)(ctx, w); err != nil {
						return err
					}
					if err := w.Converge(ctx); err != nil {
						return err
					}
				}
				return fmt.Errorf("%d revisions took %v at best, want them within %v: %w", revisions, fastest, revisionTime, errSlow)
			}},
		},
	}
})
