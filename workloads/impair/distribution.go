//go:build linux

package impair

import (
	"math"
	"time"
)

// Distribution is that of jitter around the mean delay.
type Distribution string

// The distributions, as tc-netem has them. A delay is never below zero.
const (
	Uniform Distribution = "uniform" // between the delay less the jitter and the delay plus the jitter
	Normal  Distribution = "normal"  // the jitter is the standard deviation
	Pareto  Distribution = "pareto"  // a long tail of late packets
)

// tail is how many jitters a delay is from its mean at most.
const tail = 4

// quantile returns the distribution's quantile function in jitters from the mean; nil if it is not known.
func (d Distribution) quantile() func(float64) float64 {
	switch d {
	case "", Uniform:
		return func(u float64) float64 { return 2*u - 1 }
	case Normal:
		return func(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
	case Pareto: // of shape 3; as in iproute2, so that one word means one thing
		return func(u float64) float64 { return (math.Pow(1-u, -1.0/3) - 1.5) * 4 / 3 }
	}
	return nil
}

// table is the quantile function as netem wants it: values scaled by 8192 at even steps.
func (d Distribution) table() []int16 {
	const steps = 4096
	quantile, table := d.quantile(), make([]int16, steps)
	for i := range table {
		value := quantile((float64(i) + 0.5) / steps)
		table[i] = int16(math.Round(8192 * min(max(value, -tail), tail-1.0/8192)))
	}
	return table
}

// delayOf returns the delay of a packet for a draw between 0 and 1.
func (q Quality) delayOf(u float64) time.Duration {
	if q.Jitter == 0 {
		return q.Delay
	}
	away := min(max(q.Distribution.quantile()(u), -tail), tail)
	return max(q.Delay+time.Duration(away*float64(q.Jitter)), 0)
}
