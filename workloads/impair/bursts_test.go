//go:build linux

package impair

import (
	"math"
	"testing"

	"github.com/nodefv/nodefv/metrics"
)

// TestBurstsHaveTheirInterval wants the share that a model loses to be within its interval for almost every seed, and not to be if bursts were
// taken for losses that come each for itself.
func TestBurstsHaveTheirInterval(t *testing.T) {
	const seeds, packets = 40, 20_000
	for name, l := range map[string]Loss{
		"Gilbert–Elliott": {GilbertElliott: &GilbertElliott{ToBad: 0.002, ToGood: 0.05, LostBad: 0.9, LostGood: 0.001}},
		"four states":     {FourState: &FourState{P13: 0.002, P31: 0.05, P32: 0.1, P23: 0.3, P14: 0.002}},
	} {
		share, factor := l.chain().bursts()
		deviation := math.Sqrt(share * (1 - share) * factor / Period)
		if drawn := float64(l.schedule(1).of(Period, true)) / Period; math.Abs(drawn-share) > 4*deviation || factor < 10 {
			t.Errorf("%s: share %g, factor %g; %g is drawn", name, share, factor, drawn)
		}
		outside, narrow := 0, 0
		for seed := range uint64(seeds) {
			lost := l.schedule(seed).of(packets, true)
			if metrics.ClaimBursts("loss", share*packets, lost, packets, factor).State != metrics.InForce {
				outside++
			}
			if metrics.ClaimShare("loss", share*packets, lost, packets).State != metrics.InForce {
				narrow++
			}
		}
		if outside > 2 || narrow < seeds/4 {
			t.Errorf("%s: of %d seeds %d are outside of the interval, and %d of that of single losses", name, seeds, outside, narrow)
		}
	}
}

// TestBurstsAtTheirEdges wants models that end somewhere or go round in circles to be known as well.
func TestBurstsAtTheirEdges(t *testing.T) {
	for want, l := range map[float64]Loss{
		1:   {GilbertElliott: &GilbertElliott{ToBad: 0.1, LostBad: 1}},
		0:   {GilbertElliott: &GilbertElliott{ToGood: 0.1, LostBad: 1}},
		0.5: {FourState: &FourState{P14: 1}},
	} {
		if share, factor := l.chain().bursts(); math.Abs(share-want) > 1e-6 || factor < 1 {
			t.Errorf("share %g, want %g; factor %g", share, want, factor)
		}
	}
}
