package scenarios

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// noWire stands for the kernel, which the model does not ask.
type noWire struct{}

func (noWire) Plug(context.Context, []workloads.Plug) error  { return nil }
func (noWire) Unplug(context.Context, []workloads.Key) error { return nil }

// nothing must hold.
type nothing struct{ engine.Effects }

func (nothing) Always(*engine.World) []engine.Probe { return nil }

// modelOf is a world with a scenario's cluster deployed, of which there is the model alone.
func modelOf(t *testing.T, sc engine.Scenario) *engine.World {
	t.Helper()
	plan, err := workloads.NewPlan(1, sc.Topology, "local")
	if err != nil {
		t.Fatal(err)
	}
	fleet := workloads.NewFleet(workloads.Config{
		Client: fake.NewClientset(), Admin: adminfake.NewSimpleClientset(), Plugger: noWire{}, HostInterface: func(_, pod string) string { return pod }, OneWrite: true,
	}, workloads.NewState("local"))
	planned := plan.State()
	if sc.Arrange != nil {
		sc.Arrange(&planned)
	}
	if err := fleet.Apply(t.Context(), planned); err != nil {
		t.Fatal(err)
	}
	return &engine.World{
		Fleet: fleet, Plan: plan, Rand: rand.New(rand.NewPCG(1, 1)), Effects: nothing{}, Freeze: func(do func() error) error { return do() },
	}
}

// play makes the steps of a scenario of so many cycles against the model, and calls after with each step's name once it is done.
func play(t *testing.T, name string, cycles int, after func(w *engine.World, step string)) {
	t.Helper()
	all, err := All(Params{Cycles: &cycles})
	if err != nil {
		t.Fatal(err)
	}
	sc := all[slices.IndexFunc(all, func(sc engine.Scenario) bool { return sc.Name == name })]
	w := modelOf(t, sc)
	for _, step := range sc.Steps {
		for w.Cycle = 1; w.Cycle <= max(step.Repeat, 1); w.Cycle++ {
			if err := step.Do(t.Context(), w); err != nil {
				t.Fatalf("%s: %s: %v", name, step.Name, err)
			}
		}
		after(w, step.Name)
	}
}

// TestAddressIsGivenBackHere wants the one to whom the address is given back to be local, after any number of hands.
func TestAddressIsGivenBackHere(t *testing.T) {
	for cycles := range 10 {
		play(t, "address of two pods", cycles+1, func(w *engine.World, step string) {
			if owner := tenantOf(w.Fleet.State(), onStage(w, 0, localClient).IPs[0]); step == "give back" && owner.Node != "local" {
				t.Errorf("after %d cycles the address is given back to %+v", cycles+1, owner)
			}
		})
	}
}

// TestLocalPodReturnsInItsRole wants the local pod that goes and comes back to be what it was, after any number of turns.
func TestLocalPodReturnsInItsRole(t *testing.T) {
	for cycles := range 2 {
		var before workloads.Pod
		play(t, "gone and back in one batch", cycles+1, func(w *engine.World, step string) {
			pod := w.Fleet.State().Pods().Get(onStage(w, 0, localClient).Key)
			if step == "a local pod's object" && !reflect.DeepEqual(pod, before) {
				t.Errorf("after %d cycles the pod was %+v and is %+v", cycles+1, before, pod)
			}
			before = pod
		})
	}
}

// TestOlderPoliciesAreRemoved wants all to go that are named, the baseline among them or not.
func TestOlderPoliciesAreRemoved(t *testing.T) {
	k, w := clusterWides[0], modelOf(t, engine.Scenario{Topology: stage, Arrange: arrangeStage})
	var policies []workloads.ClusterPolicy
	for _, name := range []string{"one", workloads.BaselineName, "two", "stays"} {
		policies = append(policies, workloads.ClusterPolicy{Name: name, Spec: wideSpec{Subject: wideSubject{Namespaces: everything()}}})
	}
	if err := k.add(t.Context(), w.Fleet, policies...); err != nil {
		t.Fatal(err)
	}
	if err := k.remove(t.Context(), w.Fleet, "one", workloads.BaselineName, "two"); err != nil {
		t.Fatal(err)
	}
	s := w.Fleet.State()
	if stays := s.AdminPolicies().Has(workloads.Key{Name: "stays"}); s.AdminPolicies().Len() != 1 || !stays || s.Baseline().Len() > 0 {
		t.Errorf("left are %v and %v", s.AdminPolicies().List(), s.Baseline().List())
	}
}

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
		w := modelOf(t, sc)
		for _, step := range sc.Steps {
			before := w.Fleet.State()
			w.Cycle++
			if err := step.Do(t.Context(), w); err != nil && !errors.Is(err, errSlow) { // how fast it is, no test says
				t.Fatalf("%s: %s: %v", sc.Name, step.Name, err)
			}
			if step.Moves == nil {
				continue
			}
			said++
			after := w.Fleet.State()
			moved := func(p engine.Probe) int { return engine.Differing(p.Want(before), p.Want(after)) }
			if got := (effects.Moves{Gauges: moved(effects.Gauges{}), Routes: moved(effects.Routes{}), Connections: moved(effects.Connections{})}); got != step.Moves {
				t.Errorf("%s: %s moves %+v, the scenario says %+v", sc.Name, step.Name, got, step.Moves)
			}
		}
	}
	if said == 0 {
		t.Error("no scenario says what it moves")
	}
}
