package effects

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// pretended is a way of which a test says what its packets met.
type pretended struct {
	met    []Met
	mended int
}

func (p *pretended) Worsen(Worse) error  { return nil }
func (p *pretended) Met() ([]Met, error) { return p.met, nil }
func (p *pretended) Mend() error         { p.mended++; return nil }

// TestWhatWasNotInForceSaysNothing wants what was done while the way was not as it was asked to be void, whatever came of it.
func TestWhatWasNotInForceSaysNothing(t *testing.T) {
	slow, cut := Worse{Delay: time.Second}, Worse{Loss: 1}
	half := Worse{Loss: 1, Only: ToAPI}
	held := func(achieved float64, n uint64) Met {
		c := metrics.Claim{Property: "delay", Asked: 1, Achieved: achieved, Low: 0.95, High: 1.05, N: n}
		return Met{Packets: n, Claims: []metrics.Claim{c.Judged()}}
	}
	lost := func(lost, of uint64) Met {
		return Met{Packets: of, Lost: lost, Claims: []metrics.Claim{metrics.ClaimShare("loss", float64(of), lost, of)}}
	}
	for name, c := range map[string]struct {
		worse    Worse
		to, from Met
		says     string
	}{
		"in force":                    {slow, held(1, 30), held(1, 30), ""},
		"off in one direction":        {slow, held(1, 30), held(3, 30), "from the API server: 1s later: delay: asked 1s, achieved 3s"},
		"nobody there":                {slow, Met{}, held(1, 30), "no packet"},
		"cut, and so nothing is said": {cut, lost(3, 3), Met{}, ""},
		"cut, and nobody there":       {cut, Met{}, Met{}, "no packet"},
		"cut, by few packets":         {cut, lost(3, 3), lost(2, 2), ""},
		"cut, and one came through":   {cut, lost(3, 3), lost(2, 3), "66.667 %"},
		"half, other one is as ever":  {half, lost(3, 3), Met{}, ""},
		"asked for nothing":           {Worse{}, Met{}, Met{}, ""},
	} {
		c.to.Heading, c.from.Heading = ToAPI, FromAPI
		way := &pretended{met: []Met{c.to, c.from}}
		err := AmidWorse(t.Context(), &engine.World{Effects: &Set{Way: way}}, c.worse, func(context.Context) error { return engine.ErrBroken })
		if !errors.Is(err, engine.ErrBroken) || way.mended != 1 {
			t.Errorf("%s: %v, mended %d times", name, err, way.mended)
		}
		if why := c.worse.Finding("the agent's", way.met).Void(); c.says == "" != (why == "") || !strings.Contains(why, c.says) {
			t.Errorf("%s: %q, want %q", name, why, c.says)
		}
	}
}

func TestWorseIsTold(t *testing.T) {
	for want, w := range map[string]Worse{
		"as it is": {}, "100ms later": {Delay: 100 * time.Millisecond}, "20ms later, 5 % lost": {Delay: 20 * time.Millisecond, Loss: 0.05},
		"cut": {Loss: 1}, "cut, from the API server alone": {Loss: 1, Only: FromAPI},
	} {
		if w.String() != want {
			t.Errorf("%q, want %q", w, want)
		}
	}
}
