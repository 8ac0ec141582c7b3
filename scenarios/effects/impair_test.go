package effects

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// impairs is an Impairer that says of what it was ordered what a test says.
type impairs struct {
	proof    []metrics.Claim
	refuses  string // the impairment of that name
	inForce  []Impairment
	everSeen []Impairment
}

func (f *impairs) Impair(i Impairment) error {
	if i.Name == f.refuses {
		return errors.New("refused")
	}
	f.inForce, f.everSeen = append(f.inForce, i), append(f.everSeen, i)
	return nil
}

func (f *impairs) Mend(pod workloads.Key, name string) error {
	f.inForce = slices.DeleteFunc(f.inForce, func(i Impairment) bool { return i.Pod == pod && i.Name == name })
	return nil
}

func (f *impairs) Impaired() (all []Impaired, err error) {
	for _, i := range f.inForce {
		all = append(all, Impaired{Impairment: i, Packets: 100, Lost: 1, Proof: f.proof})
	}
	return all, nil
}

// TestAmid wants impairments to be in force while it is done and no longer, each with a name and a seed, and their proof to be what is judged.
func TestAmid(t *testing.T) {
	pod := workloads.Key{Namespace: "ns", Name: "server"}
	orders := []Impairment{{Pod: pod, In: true, Quality: Quality{Loss: 0.01}}, {Pod: pod, Quality: Quality{Delay: time.Millisecond}}}
	for name, c := range map[string]struct {
		fake  impairs
		does  bool
		voids string
	}{
		"in force":     {impairs{proof: []metrics.Claim{metrics.ClaimShare("loss", 1, 1, 100)}}, true, ""},
		"not in force": {impairs{proof: []metrics.Claim{metrics.ClaimShare("loss", 50, 1, 100)}}, true, "received by ns/server: 1 % loss: loss: asked 50.000 %"},
		"refused":      {impairs{refuses: "amid-2"}, false, ""},
	} {
		does := 0
		w := &engine.World{Effects: &Set{Impairer: &c.fake}, Rand: rand.New(rand.NewPCG(1, 2))}
		met, err := Amid(t.Context(), w, orders, func(context.Context) error {
			does = len(c.fake.inForce)
			return engine.ErrBroken
		})
		if c.does != (does == len(orders)) || c.does != errors.Is(err, engine.ErrBroken) || err == nil || len(c.fake.inForce) > 0 {
			t.Errorf("%s: %d in force while it was done, %v afterwards: %v", name, does, c.fake.inForce, err)
		}
		if !c.does {
			continue
		}
		if seen := c.fake.everSeen; seen[0].Name == seen[1].Name || seen[0].Seed == 0 || met[0].Lost != 1 {
			t.Errorf("%s: %+v", name, seen)
		}
		if why := InForce(met).Void(); c.voids == "" != (why == "") || !strings.Contains(why, c.voids) {
			t.Errorf("%s: %q, want %q", name, why, c.voids)
		}
	}
	if _, err := Amid(t.Context(), &engine.World{Effects: &Set{}}, orders, nil); !errors.Is(err, ErrNoImpairer) {
		t.Error(err)
	}
}
