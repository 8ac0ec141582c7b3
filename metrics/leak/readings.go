package leak

import (
	"math"
	"slices"
)

// polynomials returns those over x that are orthonormal, from degree 0 on.
func polynomials(x []float64, degree int) [][]float64 {
	mid, half := (x[0]+x[len(x)-1])/2, (x[len(x)-1]-x[0])/2
	all := [][]float64{normal(ones(len(x)))}
	for d := 1; d <= degree; d++ {
		p := make([]float64, len(x))
		for i := range x {
			p[i] = (x[i] - mid) / half * all[d-1][i]
		}
		for range 2 { // once more for what rounding left
			for _, lower := range all {
				c := dot(lower, p)
				for i := range p {
					p[i] -= c * lower[i]
				}
			}
		}
		all = append(all, normal(p))
	}
	return all
}

// variance is that of the part that p has in noise whose variance is 1 and whose correlation falls by the factor memory with each cycle.
func variance(x, p []float64, memory float64) float64 {
	sum, past := 0.0, 0.0
	for i, v := range p {
		if i > 0 {
			past = (past + p[i-1]) * math.Pow(memory, x[i]-x[i-1])
		}
		sum += v*v + 2*v*past
	}
	return sum
}

// memory is how much the noise of one reading has in common with that of the next, by Durbin and Watson's ratio, and at least Memory. Noise about
// a line that was fitted to it looks as if it had less, the more so the fewer readings there are; that is set right.
func memory(x, y []float64) float64 {
	line := polynomials(x, 1)
	level, slope := dot(line[0], y), dot(line[1], y)
	var squares, steps, before float64
	for i := range y {
		rest := y[i] - level*line[0][i] - slope*line[1][i]
		squares += rest * rest
		if i > 0 {
			steps += (rest - before) * (rest - before)
		}
		before = rest
	}
	if squares == 0 {
		return Memory
	}
	n := float64(len(y))
	seen := 1 - steps/squares/2
	return min(max((n*seen+2)/(n-4), Memory), MostMemory)
}

// steepness is the slope of a parabola p at the last cycle.
func steepness(x, p []float64) float64 {
	n := len(x)
	a, b, c := 0, n/2, n-1
	left := (p[b] - p[a]) / (x[b] - x[a])
	right := (p[c] - p[b]) / (x[c] - x[b])
	bend := (right - left) / (x[c] - x[a])
	return right + bend*(x[c]-x[b])
}

// warmUp returns how many of the first readings belong to caches and pools that fill. Without them the line's error, by the scatter of the rest, is
// smallest; they are at most a third, and are left out only if that halves the error's square.
func warmUp(x, y []float64) int {
	n := len(x)
	best, least, first := 0, math.Inf(1), 0.0
	var sx, sy, sxx, sxy, syy float64
	for i := n - 1; i >= 0; i-- {
		u, v := x[i]-x[n-1], y[i]-y[n-1]
		sx, sy, sxx, sxy, syy = sx+u, sy+v, sxx+u*u, sxy+u*v, syy+v*v
		m := float64(n - i)
		if i > n/3 || n-i < MinCycles {
			continue
		}
		vx, vxy, vy := sxx-sx*sx/m, sxy-sx*sy/m, syy-sy*sy/m
		scatter := max(vy-vxy*vxy/vx, 0) / (m - 2) / vx
		if scatter <= least {
			best, least = i, scatter
		}
		first = scatter
	}
	if least < first/2 {
		return best
	}
	return 0
}

// clipped returns readings of which none is further from a robust line than four standard deviations of the others, or than the quantum: a single
// reading that was taken amid work says nothing of a leak. The line is Theil and Sen's: the median of the slopes of all pairs, or of many readings
// of those pairs that lie a multiple of some distance apart, so that there are about mostPairs of them.
func clipped(x, y []float64, quantum float64) []float64 {
	n := len(x)
	apart := 1 + n*n/2/mostPairs
	slopes := make([]float64, 0, min(n*n/2, 2*mostPairs))
	for i := range x {
		for j := i - apart; j >= 0; j -= apart {
			slopes = append(slopes, (y[i]-y[j])/(x[i]-x[j]))
		}
	}
	slope := median(slopes)
	rest := make([]float64, len(x))
	for i := range x {
		rest[i] = y[i] - slope*x[i]
	}
	level := median(slices.Clone(rest))
	away := make([]float64, len(x))
	for i, r := range rest {
		away[i] = math.Abs(r - level)
	}
	const sigma = 1.4826 // a normal distribution's standard deviation over its median distance
	limit := max(4*sigma*median(away), quantum)
	out := make([]float64, len(x))
	for i, r := range rest {
		out[i] = slope*x[i] + level + min(max(r-level, -limit), limit)
	}
	return out
}

// mostPairs bounds what a judgement of many readings takes.
const mostPairs = 50000

// median puts values into another order. Of an even number it takes the upper of the two in the middle.
func median(values []float64) float64 {
	k, low, high := len(values)/2, 0, len(values)-1
	for low < high { // Hoare's selection: sorting all would take most of a judgement's time
		pivot, i, j := values[(low+high)/2], low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return values[k]
		}
	}
	return values[k]
}

func ones(n int) []float64 {
	p := make([]float64, n)
	for i := range p {
		p[i] = 1
	}
	return p
}

func normal(p []float64) []float64 {
	length := math.Sqrt(dot(p, p))
	for i := range p {
		p[i] /= length
	}
	return p
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
