package infra

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// TestAgentOfAnotherRelease starts the agent in another release with the same files and environment, and makes it again what it was: in time,
// or once the driver has ended without that.
func TestAgentOfAnotherRelease(t *testing.T) {
	rt := newFakeRuntime(t)
	e := up(t, config(t, rt, fakeTarget{}))
	own := e.specs[RoleAgent]
	made := []string{}
	e.OfferReleases([]string{"v2", "v1"}, func(_ context.Context, release string) (string, error) {
		made = append(made, release)
		if release == "v2" {
			return own.Component, nil
		}
		return own.Component + "@" + release, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	var watch sync.WaitGroup
	watch.Go(func() { e.Watch(ctx, func(report.Event) {}) })
	runs := func() Spec {
		rt.mu.Lock()
		defer rt.mu.Unlock()
		return rt.begun[len(rt.begun)-1]
	}
	start := func(release string) {
		t.Helper()
		if err := errors.Join(e.obey(ctx, endAgent), e.obey(ctx, startRelease+release)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.obey(ctx, makeRelease+"v3"); err == nil || !strings.Contains(err.Error(), "v2, v1") {
		t.Errorf("a release that is not there: %v", err)
	}
	if err := e.obey(ctx, makeRelease+"v1"); err != nil || len(made) != 1 {
		t.Errorf("made %v, %v", made, err)
	}
	start("v1")
	if now := runs(); now.Component != own.Component+"@v1" || len(now.Files) != len(own.Files) || len(now.Env) != len(own.Env) {
		t.Errorf("%+v runs, it was %+v", now, own)
	}
	start("v2")
	if now := runs(); now.Component != own.Component {
		t.Errorf("%s runs", now.Component)
	}
	before := len(rt.begun)
	if err := e.backToOriginal(ctx); err != nil || len(rt.begun) != before {
		t.Errorf("started again though it is what it was: %v", err)
	}
	start("v1")
	if err := e.backToOriginal(ctx); err != nil || runs().Component != own.Component {
		t.Errorf("after a driver that left it so: %s runs, %v", runs().Component, err)
	}
	cancel()
	watch.Wait()
}
