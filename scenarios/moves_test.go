package scenarios

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// noWire stands for the kernel, which the model does not ask.
type noWire struct{}

func (noWire) Plug(context.Context, []workloads.Plug) error  { return nil }
func (noWire) Unplug(context.Context, []workloads.Key) error { return nil }

// TestModelMovesWhatScenariosSay runs the steps of every scenario that says how many facts they move against the model alone.
func TestModelMovesWhatScenariosSay(t *testing.T) {
	all, err := All(Params{})
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, sc := range all {
		if !slices.ContainsFunc(sc.Steps, func(s engine.Step) bool { return s.Moves != nil }) {
			continue
		}
		plan, err := workloads.NewPlan(1, sc.Topology, "local")
		if err != nil {
			t.Fatal(err)
		}
		fleet := workloads.NewFleet(workloads.Config{
			Client: fake.NewClientset(), Admin: adminfake.NewSimpleClientset(), Plugger: noWire{}, HostInterface: func(_, pod string) string { return pod }, OneWrite: true,
		}, workloads.NewState("local"))
		w := &engine.World{Fleet: fleet, Plan: plan, Rand: rand.New(rand.NewPCG(1, 1)), Converge: func(context.Context) error { return nil }, Freeze: func(do func() error) error { return do() }}
		planned := plan.State()
		if sc.Arrange != nil {
			sc.Arrange(planned)
		}
		if err := fleet.Apply(t.Context(), planned); err != nil {
			t.Fatal(err)
		}
		for _, step := range sc.Steps {
			before := fleet.State()
			w.Cycle++
			if err := step.Do(t.Context(), w); err != nil && !errors.Is(err, errSlow) { // how fast it is, no test says
				t.Fatalf("%s: %s: %v", sc.Name, step.Name, err)
			}
			if step.Moves == nil {
				continue
			}
			said++
			after := fleet.State()
			_, g := engine.Diff(engine.Gauges{}.Want(before), engine.Gauges{}.Want(after))
			_, r := engine.Diff(engine.Routes{}.Want(before), engine.Routes{}.Want(after))
			_, c := engine.Diff(engine.Connections{}.Want(before), engine.Connections{}.Want(after))
			if got := (engine.Moves{Gauges: g, Routes: r, Connections: c}); got != *step.Moves {
				t.Errorf("%s: %s moves %+v, the scenario says %+v", sc.Name, step.Name, got, *step.Moves)
			}
		}
	}
	if said == 0 {
		t.Error("no scenario says what it moves")
	}
}
