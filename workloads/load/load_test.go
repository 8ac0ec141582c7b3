package load

import (
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

func TestOrderIsChecked(t *testing.T) {
	if err := (Order{Pods: 2}).Check(); err != nil {
		t.Error(err)
	}
	for _, good := range []Order{{Pods: 2, From: OfRemote}, {Pods: 2, To: OfNode}, {Pods: 2, From: OfNode, To: OfRemote}, {Pods: 5, To: OfService, Behind: 4}, {Pods: 4, From: OfNode, To: OfService, Behind: 4}} {
		if err := good.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []Order{{Pods: 2, From: OfNode, To: OfNode}, {Pods: 2, From: OfRemote, To: OfRemote}, {Pods: 2, From: "moon"},
		{Pods: 4, To: OfService, Behind: 4}, {Pods: 3, From: OfNode, To: OfService, Behind: 4}, {Pods: 4, To: OfService}, {Pods: 4, Behind: 2}, {Pods: 4, From: OfService}, {Pods: 4, To: OfService, Behind: 2, IPv6: true}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	err := Order{Pods: 1, Spec: Spec{Rate: -1, Duration: 2 * Longest}}.Check()
	for _, want := range []string{"two pods", "rate of -1", "a day"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestMeasurementsOfALateLoad(t *testing.T) {
	latency := metrics.NewHistogram(1e-6, 1)
	_ = latency.Record(0.001)
	r := Report{Spec: Spec{Protocol: UDP}, Bottleneck: "late", Count: Count{There: Way{Lost: 2}, Back: Way{Lost: 1}, Missed: 4},
		Latency: metrics.Measurement{Histogram: latency}}
	byName := map[string]metrics.Measurement{}
	for _, m := range r.Measurements("x") {
		byName[m.Name] = m
		if len(m.Labels) != 2 || m.Labels[0].Value != "x" || m.Labels[1].Value != "udp" {
			t.Errorf("%s: labels %v", m.Name, m.Labels)
		}
	}
	if m := byName["messages lost"]; m.Invalid != "" || m.Samples[0].Value != 7 {
		t.Errorf("what was lost is known: %+v", m)
	}
	if byName["longest hole"].Invalid == "" || byName["traffic latency"].Invalid == "" {
		t.Error("times of a late load are believed")
	}
	r.Spec.Idle = true
	for _, m := range r.Measurements("x") {
		if m.Name == "traffic latency" {
			t.Error("the last words of idle connections are taken for a latency")
		}
	}
}

func TestBudget(t *testing.T) {
	lost, failed, hole := uint64(1), 0, 10*time.Millisecond
	b := Budget{Lost: &lost, Failed: &failed, Hole: &hole}
	good := Report{Count: Count{Missed: 1}, Connections: []Connection{{Cause: Done}}, Hole: Hole{Took: hole}}
	if broken := b.Breaks(good); broken != nil {
		t.Errorf("broken: %v", broken)
	}
	bad := Report{Count: Count{Missed: 2}, Connections: []Connection{{Cause: Reset}}, Hole: Hole{Took: hole + 1}}
	if broken := b.Breaks(bad); len(broken) != 3 {
		t.Errorf("broken: %v", broken)
	}
}
