package infra

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

func TestAskedPassesOnAllButRequests(t *testing.T) {
	var out bytes.Buffer
	var roles []string
	a := &asked{Writer: &out, obey: func(role string) { roles = append(roles, role) }}
	text := "one\n" + askPrefix + "etcd\ntwo\n" + askPrefix + "agent\nthree"
	for i := range text { // however the lines are cut
		if n, err := a.Write([]byte(text[i : i+1])); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"etcd", "agent"}; out.String() != "one\ntwo\nthree" || !slices.Equal(roles, want) {
		t.Errorf("passed on %q, asked for %q", out.String(), roles)
	}
}

func TestAskRestart(t *testing.T) {
	dir := t.TempDir()
	for answer, want := range map[string]string{"done\n": "", "there is no typha to restart\n": "restart of typha: there is no typha to restart"} {
		out := &asked{Writer: &bytes.Buffer{}, obey: func(role string) {
			if err := os.WriteFile(filepath.Join(dir, "answer"), []byte(answer), 0o600); err != nil {
				t.Error(err)
			}
		}}
		err := AskRestart(t.Context(), out, dir, "typha")
		if got := errorText(err); got != want {
			t.Errorf("%q: error %q, want %q", answer, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRestartOfTheAgentIsNoDeath(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	var mu sync.Mutex
	var events []report.Event
	var watch sync.WaitGroup
	watch.Go(func() {
		e.Watch(ctx, func(ev report.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, ev)
		})
	})
	dir := t.TempDir()
	e.answer(ctx, dir, string(RoleAgent))
	cancel()
	watch.Wait()
	said, err := os.ReadFile(filepath.Join(dir, "answer"))
	if err != nil || string(said) != "done\n" {
		t.Errorf("answer %q, %v", said, err)
	}
	if len(events) != 2 || !events[0].Asked || events[0].What != "exited" || events[1].What != "restarted" {
		t.Errorf("events %+v", events)
	}
}

// TestDeathsThatAreAskedFor has an agent that dies again and again: after the driver has asked for the first death, the others are expected,
// and each is told.
func TestDeathsThatAreAskedFor(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	exits := make(chan report.Event, 100)
	var watch sync.WaitGroup
	watch.Go(func() {
		e.Watch(ctx, func(ev report.Event) {
			if ev.What == "exited" {
				exits <- ev
			}
		})
	})
	dir := t.TempDir()
	for i := range maxRestarts + 2 {
		c, ok := e.container(RoleAgent).(*fakeCont)
		if !ok {
			t.Fatal("no agent")
		}
		c.end(Exit{Code: 2})
		if ev := <-exits; ev.Asked != (i > 0) {
			t.Errorf("death %d: asked %v", i, ev.Asked)
		}
		e.answer(ctx, dir, askDeath)
		said, err := os.ReadFile(filepath.Join(dir, "answer"))
		if err != nil || string(said) != "done sut died: exit code 2; last log line: agent says hello\n" {
			t.Errorf("answer %q, %v", said, err)
		}
	}
	cancel()
	watch.Wait()
}

func TestRestartThatCanNotBe(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	for role, want := range map[Role]string{"typha": "there is no typha", RoleEtcd: "not started so that it can be restarted", RoleNode: "can't be restarted"} {
		if err := e.restartAsked(t.Context(), role); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestAgentStaysAwayUntilItIsStarted(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	var watch sync.WaitGroup
	told := make(chan report.Event, 10)
	watch.Go(func() { e.Watch(ctx, func(ev report.Event) { told <- ev }) })
	old := e.container(RoleAgent)
	if err := e.obey(ctx, startAgent); err == nil || err.Error() != "it is not stopped" {
		t.Errorf("started while it runs: %v", err)
	}
	if err := e.obey(ctx, stopAgent); err != nil {
		t.Fatal(err)
	}
	if ev := <-told; !ev.Asked || ev.What != "exited" {
		t.Errorf("told of %+v", ev)
	}
	if err := e.obey(ctx, stopAgent); err == nil || err.Error() != "it is stopped already" {
		t.Errorf("stopped twice: %v", err)
	}
	select {
	case ev := <-told:
		t.Errorf("it did not stay away: %+v", ev)
	case <-time.After(200 * time.Millisecond): // enough for a fake to come back
	}
	if e.container(RoleAgent) != old {
		t.Error("it did not stay away")
	}
	if err := e.obey(ctx, startAgent); err != nil {
		t.Error(err)
	}
	if ev := <-told; ev.What != "restarted" || e.container(RoleAgent) == old {
		t.Errorf("told of %+v", ev)
	}
	cancel()
	watch.Wait()
}
