package metrics

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// confidence is that of a trend's interval, two-sided.
const confidence = 0.95

// Trend is how a gauge moves from cycle to cycle: the slope of a straight line fitted by least squares and its 95%
// interval by Student's t. It assumes that readings scatter about the line independently of each other.
type Trend struct {
	N         int     // points
	Known     bool    // false with fewer than three points, or all in one cycle; then the rest is zero
	Slope     float64 // per cycle
	Low, High float64 // the interval
}

// TrendOf fits values read in cycles; both have the same length.
func TrendOf(cycles, values []float64) Trend {
	n := min(len(cycles), len(values))
	t := Trend{N: n}
	if n < 3 {
		return t
	}
	cycles, values = cycles[:n], values[:n]
	alpha, slope := stat.LinearRegression(cycles, values, nil, false)
	mean := stat.Mean(cycles, nil)
	var spread, residual float64
	for i, x := range cycles {
		spread += (x - mean) * (x - mean)
		r := values[i] - (alpha + slope*x)
		residual += r * r
	}
	if spread == 0 {
		return t
	}
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 2)}
	half := student.Quantile(1-(1-confidence)/2) * math.Sqrt(residual/float64(n-2)/spread)
	t.Known, t.Slope, t.Low, t.High = true, slope, slope-half, slope+half
	return t
}
