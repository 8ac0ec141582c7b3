package driver

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

func emptyWorld() *engine.World {
	return &engine.World{Fleet: workloads.NewFleet(workloads.Config{}, workloads.NewState("here"))}
}

// waiting is a probe of which a fact is missing when it is read first; the live line is told at the second.
type waiting struct {
	tell  func()
	reads int
}

func (p *waiting) Name() string { return "routes" }
func (p *waiting) Want(workloads.State) engine.Facts {
	return engine.Facts{{Subject: "r"}: "there", {Subject: "q"}: "there"}
}
func (p *waiting) Got(context.Context, workloads.State) (engine.Facts, error) {
	if p.reads++; p.reads == 1 {
		return engine.Facts{{Subject: "q"}: "there"}, nil
	}
	p.tell()
	return p.Want(workloads.State{}), nil
}

func TestLiveTellsWhatMoves(t *testing.T) {
	var out bytes.Buffer
	d := New(infra.Handoff{Live: true}, &out)
	w := emptyWorld()
	d.follow(w)
	begun := time.Now()
	at := func(seconds int, cpu float64) {
		d.live(metrics.Point{
			Phase: metrics.Phase{Scenario: "churn", Step: "replace"}, At: begun.Add(time.Duration(seconds) * time.Second),
			Values: metrics.Snapshot{metrics.CPUSeconds: cpu},
		})
	}
	at(0, 7)
	at(2, 8)
	at(4, 0.5) // it was started again
	want := ""
	for _, cpu := range []string{"", "cpu 50%  ", ""} {
		want += infra.LivePrefix + "churn ▸ replace  " + cpu + "0 ops 0/s  0 endpoints  rss 0 heap 0 MiB\n"
	}
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestLiveTellsWhatAStepWaitsFor(t *testing.T) {
	var out bytes.Buffer
	d := New(infra.Handoff{Live: true}, &out)
	w := emptyWorld()
	d.follow(w)
	tell := func() {
		d.live(metrics.Point{Phase: metrics.Phase{Scenario: "churn", Step: "replace"}, At: time.Now(), Values: metrics.Snapshot{}})
	}
	if err := w.Expect(t.Context(), &waiting{tell: tell}, time.Minute, func(report.Finding) {}); err != nil {
		t.Fatal(err)
	}
	tell()
	first, second, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, "replace  waits for routes (1 of 2)  0 ops") || strings.Contains(second, "waits") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestLive(t *testing.T) {
	point := metrics.Point{
		Phase: metrics.Phase{Scenario: "churn", Step: "replace", Cycle: 3}, At: time.Now(),
		Values: metrics.Snapshot{metrics.Endpoints: 12, metrics.HeapBytes: 3 << 20, metrics.RSSBytes: 70 << 20},
	}
	for name, c := range map[string]struct {
		handoff infra.Handoff
		follows bool
		want    string
	}{
		"a line":          {infra.Handoff{Live: true}, true, infra.LivePrefix + "churn ▸ replace #3  0 ops 0/s  12 endpoints  rss 70 heap 3 MiB\n"},
		"nobody looks":    {infra.Handoff{}, true, ""},
		"no scenario yet": {infra.Handoff{Live: true}, false, ""},
	} {
		var out bytes.Buffer
		d := New(c.handoff, &out)
		if c.follows {
			d.follow(emptyWorld())
		}
		d.live(point)
		if out.String() != c.want {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
