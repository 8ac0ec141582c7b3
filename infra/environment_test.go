package infra

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// config is one in folders of the test's own.
func config(t *testing.T, rt *fakeRuntime, target fakeTarget) Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return Config{Runtime: rt, Target: target, Run: "r1", Out: filepath.Join(t.TempDir(), "out")}
}

func up(t *testing.T, cfg Config) *Environment {
	t.Helper()
	e, err := Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestUpThatFailsLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	never := func() error { return errors.New("connection refused") }
	for _, c := range []struct {
		name  string
		spoil func(*fakeRuntime, *fakeTarget)
		want  string
	}{
		{"etcd does not start", func(r *fakeRuntime, _ *fakeTarget) { r.refuse = RoleEtcd }, "start etcd: no space left"},
		{"etcd exits", func(r *fakeRuntime, _ *fakeTarget) { r.dies[RoleEtcd] = 1 }, "etcd: etcd exited with code 3; last log lines:\n  etcd says hello"},
		{"API server does not start", func(r *fakeRuntime, _ *fakeTarget) { r.refuse = RoleAPIServer }, "start apiserver: no space left"},
		{"API server exits", func(r *fakeRuntime, _ *fakeTarget) { r.dies[RoleAPIServer] = 1 }, "apiserver: apiserver exited with code 3"},
		{"node does not start", func(r *fakeRuntime, _ *fakeTarget) { r.refuse = RoleNode }, "start node: no space left"},
		{"install fails", func(_ *fakeRuntime, f *fakeTarget) { f.install = broken }, "install sut: broken"},
		{"no spec", func(_ *fakeRuntime, f *fakeTarget) { f.spec = broken }, "broken"},
		{"agent does not start", func(r *fakeRuntime, _ *fakeTarget) { r.refuse = RoleAgent }, "start agent: no space left"},
		{"agent exits", func(r *fakeRuntime, f *fakeTarget) { r.dies[RoleAgent] = 1; f.ready = never }, "sut: agent exited with code 3; last log lines:\n  agent says hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, target := newFakeRuntime(t), fakeTarget{}
			c.spoil(rt, &target)
			cfg := config(t, rt, target)
			_, err := Up(t.Context(), cfg)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
			if left := rt.left(); len(left) > 0 {
				t.Errorf("left %v", left)
			}
			state, err := StateFolder(cfg.Run)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder of the run is left: %v", err)
			}
		})
	}
}

func TestUpInterruptedLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	rt := newFakeRuntime(t)
	interrupted := errors.New("interrupted")
	_, err := Up(ctx, config(t, rt, fakeTarget{ready: func() error { cancel(interrupted); return errors.New("not yet") }}))
	if !errors.Is(err, interrupted) {
		t.Errorf("error %v", err)
	}
	if left := rt.left(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestUpAndDown(t *testing.T) {
	rt := newFakeRuntime(t)
	var steps []string
	cfg := config(t, rt, fakeTarget{})
	cfg.Report = func(step string) { steps = append(steps, step) }
	e := up(t, cfg)
	if want := []Role{RoleEtcd, RoleAPIServer, RoleNode, RoleAgent}; !slices.Equal(rt.roles(), want) {
		t.Errorf("started %v, want %v", rt.roles(), want)
	}
	if want := []string{"API server is ready", "CRDs and roles are installed", "sut is ready"}; !slices.Equal(steps, want) {
		t.Errorf("told %v, want %v", steps, want)
	}
	for range 2 {
		if err := e.Down(t.Context()); err != nil || len(rt.left()) > 0 {
			t.Errorf("down: %v, left %v", err, rt.left())
		}
	}
	log, err := os.ReadFile(filepath.Join(cfg.Out, "logs", "agent.log"))
	if err != nil || string(log) != "agent says hello\n" {
		t.Errorf("the agent's log: %q, %v", log, err)
	}
}

func TestDownEndsThoughNothingCanBeRemoved(t *testing.T) {
	rt := newFakeRuntime(t)
	e, err := Up(t.Context(), config(t, rt, fakeTarget{}))
	if err != nil {
		t.Fatal(err)
	}
	rt.stuck = errors.New("the engine is gone")
	if err := e.Down(t.Context()); !errors.Is(err, rt.stuck) { // it would hang on the logs
		t.Errorf("error %v", err)
	}
	if _, err := ReadFacts(e.run); err != nil {
		t.Errorf("forgotten, though all of it is there: %v", err)
	}
}

// watchAll gathers what Watch tells of an agent that dies each time, until it is left dead.
func watchAll(t *testing.T, e *Environment) (exited, restarted int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var mu sync.Mutex
	e.Watch(ctx, func(ev report.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ev.Container == string(RoleAgent) && ev.What == "exited" && ev.ExitCode == 3 && !ev.Asked:
			exited++
		case ev.Container == string(RoleAgent) && ev.What == "restarted" && ev.Asked:
			restarted++
		default:
			t.Errorf("event %+v", ev)
		}
		if exited > maxRestarts {
			cancel()
		}
	})
	return exited, restarted
}

func TestWatchStartsTheAgentAgain(t *testing.T) {
	rt := newFakeRuntime(t)
	cfg := config(t, rt, fakeTarget{})
	e := up(t, cfg)
	die := func(c Container) {
		rt.mu.Lock()
		rt.dies[RoleAgent] = maxRestarts
		rt.mu.Unlock()
		c.(*fakeCont).end(Exit{Code: 3})
	}
	die(e.container(RoleAgent))
	if exited, restarted := watchAll(t, e); exited != maxRestarts+1 || restarted != maxRestarts {
		t.Errorf("%d exits, %d restarts", exited, restarted)
	}
	if err := e.container(RoleAgent).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := rt.Start(t.Context(), Spec{Role: RoleAgent}); err != nil {
		t.Fatal(err)
	}
	attached, err := Attach(t.Context(), rt, fakeTarget{}, cfg.Run)
	if err != nil {
		t.Fatal(err)
	}
	die(attached.container(RoleAgent))
	if exited, restarted := watchAll(t, attached); exited != maxRestarts+1 || restarted != maxRestarts {
		t.Errorf("attached: %d exits, %d restarts", exited, restarted)
	}
	if last := rt.begun[len(rt.begun)-1]; last.Join != RoleNode || len(last.Files) != 1 || len(last.Files[0].Data) == 0 {
		t.Errorf("an attached environment starts another agent: %+v", last)
	}
}

func TestWatchThatEndsLeavesAnAgent(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	ctx, cancel := context.WithCancel(t.Context())
	e.container(RoleAgent).(*fakeCont).end(Exit{Code: 2})
	var events []string
	e.Watch(ctx, func(ev report.Event) {
		events = append(events, ev.What)
		cancel() // the driver ends as soon as the agent has died
	})
	if want := []string{"exited", "restarted"}; !slices.Equal(events, want) {
		t.Errorf("events %q, want %q", events, want)
	}
	select {
	case <-e.container(RoleAgent).(*fakeCont).ended:
		t.Error("the environment is left without an agent")
	default:
	}
}

func TestDrive(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	rt.exits[RoleDriver] = Exit{Code: 1}
	for range 2 { // the second needs the place of the first
		var out bytes.Buffer
		exit, err := e.Drive(t.Context(), Handoff{Run: "r1", Seed: 7}, t.TempDir(), []string{"--ginkgo.v"}, &out)
		if err != nil || exit.Code != 1 || out.String() != "driver says hello\n" {
			t.Errorf("exit %+v, %v, output %q", exit, err, out.String())
		}
	}
	spec := rt.begun[len(rt.begun)-1]
	if want := []string{"fv.test", "--ginkgo.v"}; !slices.Equal(spec.Command, want) || spec.Join != RoleNode || !spec.RawSystem {
		t.Errorf("spec %+v", spec)
	}
	path := filepath.Join(t.TempDir(), "handoff.json")
	if err := os.WriteFile(path, spec.Files[0].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHandoff(path)
	if err != nil || h.Seed != 7 || h.Node != nodeName || h.Out != driverOut || h.Target.MetricsPort != 9091 {
		t.Errorf("handoff %+v, %v", h, err)
	}
}

func TestDriveInterrupted(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	time.AfterFunc(20*time.Millisecond, func() { cancel(interrupted) })
	exit, err := e.Drive(ctx, Handoff{}, t.TempDir(), nil, &bytes.Buffer{})
	if !errors.Is(err, interrupted) || exit.Code != 128+int(InterruptSignal) {
		t.Errorf("exit %+v, %v", exit, err)
	}
	if left := rt.left(); slices.Contains(left, RoleDriver) {
		t.Errorf("left %v", left)
	}
}

// TestDriveInterruptedWithoutAnEnd wants an interrupted command to end though the runtime neither ends nor removes its container.
func TestDriveInterruptedWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newFakeRuntime(t)
		rt.deaf = RoleDriver
		c, err := rt.Start(t.Context(), Spec{Role: RoleDriver})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		held, giveUp := context.WithCancelCause(context.Background())
		if _, err := await(ctx, held, giveUp, c, InterruptSignal); !errors.Is(err, errNotRemoved) {
			t.Errorf("error %v", err)
		}
	})
}

func TestDriveBesideAnother(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	other, err := rt.Start(t.Context(), Spec{Role: RoleDriver})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Drive(t.Context(), Handoff{}, t.TempDir(), nil, &bytes.Buffer{})
	if !errors.Is(err, ErrDriven) || !strings.Contains(err.Error(), "another driver is at work in run r1") {
		t.Errorf("error %v", err)
	}
	other.(*fakeCont).end(Exit{}) // its command was killed: nobody removes it
	rt.exits[RoleDriver] = Exit{}
	if _, err := e.Drive(t.Context(), Handoff{}, t.TempDir(), nil, &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}
