package effects

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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

// TestWhatWasNotInForceSaysNothing wants no verdict of what was done while the way was not as it was asked, whatever came of it.
func TestWhatWasNotInForceSaysNothing(t *testing.T) {
	broken := func(context.Context) error { return engine.ErrBroken }
	good := func(context.Context) error { return nil }
	slow, cut := Worse{Delay: time.Second}, Worse{Loss: 1}
	half := Worse{Loss: 1, Only: ToAPI}
	for name, c := range map[string]struct {
		worse  Worse
		to     Met
		from   Met
		do     func(context.Context) error
		says   string
		broken bool
	}{
		"in force":                    {slow, Met{Packets: 30}, Met{Packets: 30}, good, "", false},
		"in force, and broken":        {slow, Met{Packets: 30}, Met{Packets: 30}, broken, "does not hold", true},
		"off in one direction":        {slow, Met{Packets: 30}, Met{Packets: 30, Wrong: "delay: 3 s"}, broken, "not in force from the API server: delay: 3 s", false},
		"nobody there":                {slow, Met{}, Met{Packets: 30}, good, "no packet", false},
		"cut, and so nothing is said": {cut, Met{Packets: 3, Lost: 3}, Met{}, good, "", false},
		"cut, and nobody there":       {cut, Met{}, Met{}, good, "no packet", false},
		"cut, by few packets":         {cut, Met{Packets: 3, Lost: 3, Wrong: "few"}, Met{Packets: 2, Lost: 2, Wrong: "few"}, good, "", false},
		"cut, and one came through":   {cut, Met{Packets: 3, Lost: 3}, Met{Packets: 3, Lost: 2}, good, "2 of 3", false},
		"half, other one is as ever":  {half, Met{Packets: 3, Lost: 3}, Met{}, good, "", false},
		"asked for nothing":           {Worse{}, Met{}, Met{}, good, "", false},
	} {
		c.to.Heading, c.from.Heading = ToAPI, FromAPI
		way := &pretended{met: []Met{c.to, c.from}}
		err := AmidWorse(t.Context(), &engine.World{Effects: &Set{Way: way}}, c.worse, c.do)
		if c.says == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) || errors.Is(err, engine.ErrBroken) != c.broken || way.mended != 1 {
			t.Errorf("%s: %v, mended %d times", name, err, way.mended)
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
