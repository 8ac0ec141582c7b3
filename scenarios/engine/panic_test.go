package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// panics is what a step of somebody's does.
func panics() {
	var nobody *Scenario
	_ = strings.ToUpper(nobody.Name)
}

// moody are effects of which the first that is asked for panics.
type moody struct{ Effects }

func (moody) Ready(*World) []Probe {
	panics()
	return nil
}

func recorded(sc string) (*run, *[]report.Finding) {
	found := &[]report.Finding{}
	return &run{sc: Scenario{Name: sc}, Runner: &Runner{World: &World{Effects: moody{}}, Write: func(e report.Entry) {
		if e.Finding != nil {
			*found = append(*found, *e.Finding)
		}
	}}}, found
}

func TestAPanicIsToldWithItsPlace(t *testing.T) {
	s, all := recorded("x")
	s.blame(t.Context(), s.caught(func() error { return s.scenario(t.Context()) }))
	found := *all
	want := "panic: runtime error: invalid memory address or nil pointer dereference at engine.panics (engine/panic_test.go:17)"
	if len(found) != 1 || found[0].Error != want || !strings.Contains(found[0].Stack, "engine.panics(") {
		t.Fatalf("found %+v", found)
	}
	v, why := judgeScenario(report.Scenario{Findings: found}, report.Record{})
	if v != metrics.Inconclusive || why != "scenario: "+want+`; in step "in sync"` {
		t.Errorf("%v: %s", v, why)
	}
}

func TestAPanicOfAnExplanationIsToldAsWell(t *testing.T) {
	s, found := recorded("x")
	s.sc.Explain = func(context.Context, *World) { panics() }
	if err := s.explain(t.Context()); err == nil || len(*found) != 1 || (*found)[0].Step != "explain" || (*found)[0].Stack == "" {
		t.Errorf("%v, found %+v", err, *found)
	}
}

// A step that compares by itself may say that something is broken without a finding of its own: that must not pass.
func TestABrokenPromiseFails(t *testing.T) {
	s, found := recorded("x")
	s.enter("restarted", 1)
	s.find(report.Finding{Kind: report.Expectation, Name: "routes", Facts: 3})
	s.blame(t.Context(), fmt.Errorf("talk by UDP: 3 messages lost: %w", ErrBroken))
	v, why := judgeScenario(report.Scenario{Findings: *found}, report.Record{})
	want := `restarted: what the step promises: want kept, got talk by UDP: 3 messages lost. It differed in step "restarted"; in all, 1 of 1 facts of restarted.`
	if v != metrics.Fail || why != want {
		t.Errorf("%v: %s", v, why)
	}
	s.blame(t.Context(), ErrBroken)
	if len(*found) != 2 {
		t.Errorf("told twice: %+v", *found)
	}
}

func TestAnInterruptionIsNoFailureOfTheSUT(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(ErrInterrupted)
	s, found := recorded("x")
	s.enter("churn", 3)
	s.blame(ctx, errors.New("context canceled"))
	v, why := judgeScenario(report.Scenario{Findings: *found}, report.Record{})
	if v != metrics.Inconclusive || why != `run: interrupted; in step "churn", cycle 3` {
		t.Errorf("%v: %s", v, why)
	}
}
