package effects

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/nodefv/nodefv/metrics/report"
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

// TestLossesOfAKnownIssueAreExcused wants those of its family and no others to be.
func TestLossesOfAKnownIssueAreExcused(t *testing.T) {
	known := []report.KnownIssue{{Name: "six", Excuses: report.ViolationClass{Family: report.IPv6, Met: report.Dropped}}}
	lost := func(to string) load.Report {
		c := load.Connection{Remote: netip.MustParseAddrPort(to), Protocol: load.UDP, Cause: load.Done}
		c.Sent, c.There.Lost = 9, 2
		return load.Report{Connections: []load.Connection{c, {Cause: load.Done}}}
	}
	for name, c := range map[string]struct {
		known  []report.KnownIssue
		r      load.Report
		broken bool
	}{
		"nothing lost":       {nil, load.Report{Connections: []load.Connection{{Cause: load.Done}}}, false},
		"lost":               {nil, lost("[fd00::1]:1"), true},
		"known":              {known, lost("[fd00::1]:1"), false},
		"of another family":  {known, lost("10.0.0.1:1"), true},
		"connections failed": {known, load.Report{Connections: []load.Connection{{Cause: load.Reset}}}, true},
	} {
		err := Unharmed(&engine.World{Effects: &Set{Known: c.known}}, name, c.r)
		if errors.Is(err, engine.ErrBroken) != c.broken {
			t.Errorf("%s: %v", name, err)
		}
	}
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
