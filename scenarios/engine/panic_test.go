package engine

import (
	"context"
	"errors"
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
	s.blame(t.Context(), s.caught(t.Context()))
	found := *all
	want := "panic: runtime error: invalid memory address or nil pointer dereference at engine.panics (engine/panic_test.go:16)"
	if len(found) != 1 || found[0].Error != want || !strings.Contains(found[0].Stack, "engine.panics(") {
		t.Fatalf("found %+v", found)
	}
	v, why := judgeScenario(report.Scenario{Findings: found}, report.Record{})
	if v != metrics.Inconclusive || why != "scenario: "+want+`; in step "in sync"` {
		t.Errorf("%v: %s", v, why)
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
