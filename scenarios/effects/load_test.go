package effects

import (
	"context"
	"testing"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/load"
)

// counter is traffic that counts how often it is ended.
type counter struct{ ended int }

func (c *counter) Load(context.Context, []Flow, load.Spec) (Load, error) { return c, nil }

func (c *counter) Wait() (load.Report, error) { return c.Stop() }

func (c *counter) Stop() (load.Report, error) {
	c.ended++
	return load.Report{}, nil
}

func TestLeaked(t *testing.T) {
	for want, r := range map[uint64]load.Report{
		0: {Connections: []load.Connection{{Protocol: load.TCP, Cause: load.ConnectTimeout}, {Protocol: load.UDP, Connect: 1}}},
		3: {Count: load.Count{There: load.Way{Arrived: 1}}, Connections: []load.Connection{{Protocol: load.TCP, Connect: 1}, {Protocol: load.HTTP, Connect: 1}}},
	} {
		if got := Leaked(r); got != want {
			t.Errorf("%+v: %d", r, got)
		}
	}
}

func TestTrafficEndsOnceThoughWhatIsDonePanics(t *testing.T) {
	for name, do := range map[string]func(context.Context) error{
		"well":   func(context.Context) error { return nil },
		"panics": func(context.Context) error { panic("on purpose") },
	} {
		t.Run(name, func(t *testing.T) {
			c := &counter{}
			func() {
				defer func() { _ = recover() }()
				_, _ = Carry(t.Context(), &engine.World{Effects: &Set{Loader: c}}, []Carrying{{Name: "a"}, {Name: "b"}}, do)
			}()
			if c.ended != 2 {
				t.Errorf("two were ended %d times", c.ended)
			}
		})
	}
}
