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

func (c *counter) Look() []load.Look { return nil }

func (c *counter) Wait() (load.Report, error) { return c.Stop() }

func (c *counter) Stop() (load.Report, error) {
	c.ended++
	return load.Report{}, nil
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
