package infra

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// manyTarget is a SUT of which several instances can run. One that is lame refuses.
type manyTarget struct {
	fakeTarget
	n    string
	lame bool
}

func (m manyTarget) Instance(n int) (Target, error) {
	if m.lame {
		return nil, errors.New("one is enough")
	}
	return manyTarget{n: string(rune('0' + n))}, nil
}

func (m manyTarget) Specs() []func(ControlPlane, NodeInfo) (Spec, error) {
	return []func(ControlPlane, NodeInfo) (Spec, error){func(cp ControlPlane, node NodeInfo) (Spec, error) {
		spec, err := m.fakeTarget.Specs()[0](cp, node)
		spec.Command = []string{"sut", m.n}
		return spec, err
	}}
}

// upMany is an environment with such a target.
func upMany(t *testing.T, rt *fakeRuntime) *Environment {
	cfg := config(t, rt, fakeTarget{})
	cfg.Target = manyTarget{}
	return up(t, cfg)
}

// TestInstances wants instances to have what the agent has but for their command, their ends to be told, asked for or not, and none to be left.
func TestInstances(t *testing.T) {
	rt := newFakeRuntime(t)
	e := upMany(t, rt)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events := make(chan report.Event, 10)
	var watch sync.WaitGroup
	watch.Go(func() { e.Watch(ctx, func(ev report.Event) { events <- ev }) })
	for begun := false; !begun; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		begun = e.tell != nil
		e.mu.Unlock()
	}
	dir := t.TempDir()
	ask := func(request, want string) {
		t.Helper()
		e.answer(ctx, dir, request)
		said, err := os.ReadFile(filepath.Join(dir, "answer"))
		if err != nil || strings.TrimSpace(string(said)) != want {
			t.Errorf("%s: answer %q, %v, want %q", request, said, err, want)
		}
	}
	ask("start agent-2", "done")
	ask("start agent-2", "it runs already")
	ask("start agent-3", "done")
	ask("start agent-5", "there is no instance 5: 4 are the most")
	ask("end agent-4", "it does not run")
	specs := map[Role]Spec{}
	for _, s := range rt.begun {
		specs[s.Role] = s
	}
	if two, agent := specs["agent-2"], specs[RoleAgent]; !slices.Equal(two.Command, []string{"sut", "2"}) || two.Join != RoleNode || len(two.Files) != 1 ||
		!slices.Equal(two.Files[0].Data, agent.Files[0].Data) || len(two.Files[0].Data) == 0 {
		t.Errorf("instance 2 is %+v, the agent %+v", two, agent)
	}
	ended := func(role string, asked bool) {
		t.Helper()
		if ev := <-events; ev.Container != role || ev.What != "exited" || ev.Asked != asked || !ev.Extra {
			t.Errorf("event %+v", ev)
		}
	}
	ask("end agent-2", "done")
	ended("agent-2", true)
	ask("start agent-2", "done")
	ask("stop agent-2", "done")
	ended("agent-2", true)
	c, ok := rt.alive["agent-3"]
	if !ok {
		t.Fatal("no instance 3")
	}
	c.end(Exit{Code: 2})
	ended("agent-3", false)
	if err := e.removeInstances(ctx); err != nil {
		t.Error(err)
	}
	if left := rt.left(); slices.Contains(left, "agent-2") || slices.Contains(left, "agent-3") {
		t.Errorf("left: %v", left)
	}
	cancel()
	watch.Wait()
}

// TestInstancesOfAKilledHarness wants those that nobody remembers to be removed.
func TestInstancesOfAKilledHarness(t *testing.T) {
	rt := newFakeRuntime(t)
	e := upMany(t, rt)
	if _, err := rt.Start(t.Context(), Spec{Role: "agent-3"}); err != nil {
		t.Fatal(err)
	}
	if err := e.removeInstances(t.Context()); err != nil || slices.Contains(rt.left(), "agent-3") {
		t.Errorf("left: %v, %v", rt.left(), err)
	}
}

func TestInstanceThatCanNotBe(t *testing.T) {
	for want, of := range map[string]Target{"sut can't run in several instances on one node": fakeTarget{}, "one is enough": manyTarget{lame: true}} {
		if _, err := InstanceOf(of, 2); errorText(err) != want {
			t.Errorf("error %v, want %q", err, want)
		}
		if first, err := InstanceOf(of, 1); first == nil || err != nil {
			t.Errorf("the first: %v, %v", first, err)
		}
	}
}

// TestInstanceThatDies wants an instance that ends before it is ready to be told, and to be removed.
func TestInstanceThatDies(t *testing.T) {
	rt := newFakeRuntime(t)
	e := upMany(t, rt)
	rt.exits["agent-2"] = Exit{Code: 2}
	e.target = unready{manyTarget{}}
	if err := e.startInstance(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "agent-2") {
		t.Errorf("error %v", err)
	}
	if slices.Contains(rt.left(), "agent-2") || e.instance("agent-2") != nil {
		t.Errorf("left: %v", rt.left())
	}
}

// unready is a SUT whose further instances never get ready.
type unready struct{ manyTarget }

func (u unready) Instance(n int) (Target, error) {
	return manyTarget{fakeTarget: fakeTarget{ready: func() error { return errors.New("not yet") }}, n: "2"}, nil
}
