// Package leak tells whether a gauge of the SUT grows from cycle to cycle, how much, and how small a growth it could have seen.
//
// It owns the statistics of a leak: the slope of settled readings with an interval that allows for wander, warm-up, looking again and again,
// and several gauges. docs/leak.md says why each is as it is. It reads nothing and decides nothing about packets; all its values are plain data, and
// its functions are pure.
package leak

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/nodefv/nodefv/metrics"
)

const (
	// Alpha is the share of runs in which any statement about any gauge at any look may be wrong.
	Alpha = 0.01
	// Memory is the correlation that the noise of one cycle is taken to have with that of the next, and to fall by with each further one. Where it
	// is less, the intervals are too wide: up to 0.8 they keep what they promise, the choice of the warm-up allowed for. Where the readings show
	// more than Memory, that counts, up to MostMemory.
	Memory, MostMemory = 0.85, 0.98
	// MinCycles is the number of readings after the warm-up that a verdict needs.
	MinCycles = 8
)

// Question is what is asked of one gauge.
type Question struct {
	Gauge   metrics.Gauge
	Quantum float64 // smallest difference between two readings, such as 1 for a count
	See     float64 // growth per cycle that must be told from none; 0: whatever the readings can tell
}

// Answer is what the readings of one gauge say. Its verdict is Fail for a leak, Pass for none above Above, and Inconclusive otherwise.
type Answer struct {
	Gauge   metrics.Gauge   `json:"gauge"`
	Verdict metrics.Verdict `json:"verdict"`
	N       int             `json:"n"`               // readings after the warm-up
	WarmUp  int             `json:"warm_up"`         // readings before, which do not count
	Slope   float64         `json:"slope"`           // growth per cycle, by least squares
	Low     float64         `json:"low"`             // the interval of the growth
	High    float64         `json:"high"`            //
	Level   float64         `json:"level"`           // share of runs in which the interval may miss the growth
	Above   float64         `json:"above"`           // the smallest growth per cycle that the readings could have shown
	More    int             `json:"more,omitempty"`  // about how many more cycles a verdict needs; 0: unknown, or none
	Slows   bool            `json:"slows,omitempty"` // it grew, but less and less: caches that fill look so
}

// Judge answers a question from readings that were taken in these cycles, in ascending order; what could not be read is left out of both. level is
// the share of runs in which the interval may be wrong, see Level and Spend.
func Judge(q Question, cycles, values []float64, level float64) Answer {
	n := min(len(cycles), len(values))
	warm := warmUp(cycles[:n], values[:n])
	x, y := cycles[warm:n], values[warm:n]
	a := Answer{Gauge: q.Gauge, N: len(x), WarmUp: warm, Level: level}
	if len(x) < MinCycles || x[len(x)-1]-x[0] < MinCycles-1 {
		a.More = MinCycles - len(x)
		return a
	}
	y = clipped(x, y, q.Quantum)
	f := fitOf(x, y, memory(x, y))
	half := f.half(level) + q.Quantum/f.span
	a.Slope, a.Low, a.High = f.slope, f.slope-half, f.slope+half
	a.Above, a.Slows = max(a.High, half), f.slows()
	switch {
	case a.Low > 0 && !a.Slows:
		a.Verdict = metrics.Fail
	case a.Low <= 0 && (q.See == 0 || a.Above <= q.See):
		a.Verdict = metrics.Pass
	default:
		a.More = f.more(q, level)
	}
	return a
}

// fit is what readings are taken apart into: a straight line, and as many slower and faster waves as tell how far the line may be wrong.
type fit struct {
	n      int
	span   float64 // cycles from the first reading to the last
	slope  float64
	curve  float64 // of a parabola: the change of its slope from the middle to the end
	memory float64 // the noise's correlation from one cycle to the next
	noise  float64 // standard deviation of a reading
	spread float64 // standard deviation of the slope for a noise of 1
	waves  int
}

// waves is how many polynomials measure the noise of n readings. With half as many, intervals of few readings are half as wide again; the rate at
// which they are wrong is the same.
func waves(n int) int { return min(max(n/2, 5), 12) }

// fitOf takes readings apart into orthogonal polynomials over their cycles. The first is the line. Those of degree two and more are noise; each is
// weighed by how much of it there is in noise of that memory, so that the line's part over theirs is Student's t.
func fitOf(x, y []float64, memory float64) fit {
	f := fit{n: len(x), span: x[len(x)-1] - x[0], memory: memory, waves: waves(len(x))}
	basis := polynomials(x, f.waves+1)
	var squares float64
	for degree := 2; degree <= f.waves+1; degree++ {
		c := dot(basis[degree], y)
		squares += c * c / variance(x, basis[degree], memory)
	}
	norm := (x[1] - x[0]) / (basis[1][1] - basis[1][0]) // of the cycles about their mean
	f.slope = dot(basis[1], y) / norm
	if scale := math.Abs(y[0]) + math.Abs(y[f.n-1]); math.Abs(f.slope)*f.span < 1e-12*scale {
		f.slope = 0 // rounding
	}
	f.noise = math.Sqrt(squares / float64(f.waves))
	f.spread = math.Sqrt(variance(x, basis[1], memory)) / norm
	f.curve = dot(basis[2], y) * steepness(x, basis[2])
	return f
}

// half is half the width of the slope's interval.
func (f fit) half(level float64) float64 { return f.noise * f.spread * quantile(level, f.waves) }

func quantile(level float64, freedom int) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(freedom)}.Quantile(1 - level/2)
}

// slows reports whether growth has fallen to less than half its mean by the end.
func (f fit) slows() bool { return f.slope > 0 && f.curve < -f.slope/2 }

// more is about how many cycles, besides those read, let the interval shrink so far that it lies on one side: the noise taken to stay as it is.
func (f fit) more(q Question, level float64) int {
	need := max(f.slope, min(q.See, q.See-f.slope))
	if need <= 0 {
		return 0
	}
	const most = 10000
	for n := f.n + 1; n < most; n += max(1, n/20) {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		line := polynomials(x, 1)[1]
		spread := math.Sqrt(variance(x, line, f.memory)) * (line[1] - line[0])
		if f.noise*spread*quantile(level, waves(n))+q.Quantum/float64(n-1) < need {
			return n - f.n
		}
	}
	return most
}

// Says tells the answer in one line; churned is how many objects each cycle made and removed, in the word that things is.
func (a Answer) Says(churned int, things string) string {
	f := a.Gauge.Format
	each := func(v float64) string { return f(v / float64(max(churned, 1))) }
	grows := fmt.Sprintf("%s per cycle, %s per %s (%s to %s)", f(a.Slope), each(a.Slope), things, each(a.Low), each(a.High))
	switch {
	case a.Verdict == metrics.Fail:
		return "leak: grows by " + grows
	case a.Verdict == metrics.Pass:
		return fmt.Sprintf("no leak above %s per %s (%s per cycle)", each(a.Above), things, f(a.Above))
	case a.N < MinCycles:
		return fmt.Sprintf("inconclusive: %d readings, %d are needed", a.N, MinCycles)
	case a.Slows:
		return fmt.Sprintf("inconclusive: grew by %s, but less and less: about %d more cycles needed", grows, a.More)
	}
	return fmt.Sprintf("inconclusive: %s; about %d more cycles needed", grows, a.More)
}
