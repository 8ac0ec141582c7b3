package metrics

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/stat/distuv"
)

// Expected is how many of some independent events are to be expected, and within which bounds.
type Expected struct {
	Mean      float64
	Low, High int // with fewer or more, something else is at work: that comes by chance once in a million times on each side
}

const surprise = 1e-6

// ExpectAlike says it of n events of the same chance.
func ExpectAlike(n int, chance float64) Expected {
	b := distuv.Binomial{N: float64(n), P: chance}
	e := Expected{Mean: float64(n) * chance, High: n}
	for step := 1 << bits.Len(uint(n)); step > 0; step /= 2 {
		for e.Low+step <= n && b.CDF(float64(e.Low+step-1)) < surprise {
			e.Low += step
		}
		for e.High-step >= 0 && b.CDF(float64(e.High-step)) > 1-surprise {
			e.High -= step
		}
	}
	return e
}

// Expect says it of events by their chances, each from 0 to 1. It is exact, and takes time by the square of their number.
func Expect(chances []float64) Expected {
	var e Expected
	of := make([]float64, 1, len(chances)+1) // chance that so many happen
	of[0] = 1
	for _, p := range chances {
		e.Mean += p
		of = append(of, 0)
		for n := len(of) - 1; n > 0; n-- {
			of[n] = of[n]*(1-p) + of[n-1]*p
		}
		of[0] *= 1 - p
	}
	e.Low, e.High = 0, len(chances)
	for sum := of[e.Low]; sum < surprise && e.Low < e.High; sum += of[e.Low] {
		e.Low++
	}
	for sum := of[e.High]; sum < surprise && e.High > e.Low; sum += of[e.High] {
		e.High--
	}
	return e
}

// Holds reports whether so many are within the bounds.
func (e Expected) Holds(n int) bool { return n >= e.Low && n <= e.High && !math.IsNaN(e.Mean) }
