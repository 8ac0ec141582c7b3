package sweep

import (
	"fmt"
	"math"
	"strings"
)

// Growth is how a quantity grows with the parameters: like the product of their powers.
type Growth struct {
	Powers []float64 // of the axes, in their order; 1: it grows as the parameter does
	Fit    float64   // share of the logarithms' variance that this explains, from 0 to 1 (R²)
}

// Growth fits powers to the medians, by least squares over the logarithms. It is not known (false) unless all values of the axes and what was
// measured are above 0, and there are at least two points more than numbers to find.
func (c Compared) Growth(axes []Axis) (g Growth, known bool) {
	n := len(axes) + 1
	var rows [][]float64 // the logarithms of 1 and of the parameters, then that of the median
	for _, a := range axes {
		if a.numbers() == nil {
			return g, false
		}
	}
	for _, p := range c.Points {
		if p.N == 0 {
			continue
		}
		row := []float64{1}
		for i, a := range axes {
			v := a.numbers()[indexOf(a.Values, p.Values[i])]
			row = append(row, math.Log(v))
		}
		row = append(row, math.Log(p.Median))
		for _, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return g, false
			}
		}
		rows = append(rows, row)
	}
	if len(rows) < n+2 {
		return g, false
	}
	solution, ok := leastSquares(rows, n)
	if !ok {
		return g, false
	}
	return Growth{solution[1:], explained(rows, solution)}, true
}

// String tells the powers, such as "endpoints^0.97 · policies^0.12, R² 0.99".
func (g Growth) words(axes []Axis) string {
	var words []string
	for i, a := range axes {
		words = append(words, fmt.Sprintf("%s^%.2f", a.Name, g.Powers[i]))
	}
	return fmt.Sprintf("%s, R² %.2f", strings.Join(words, " · "), g.Fit)
}

func indexOf(values []string, v string) int {
	for i, o := range values {
		if o == v {
			return i
		}
	}
	return 0
}

// leastSquares solves the normal equations of rows, whose last number is what the others are to explain; false: they have no one solution.
func leastSquares(rows [][]float64, n int) ([]float64, bool) {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		for _, r := range rows {
			for j := range n {
				m[i][j] += r[i] * r[j]
			}
			m[i][n] += r[i] * r[n]
		}
	}
	for i := range n {
		best := i
		for k := i + 1; k < n; k++ {
			if math.Abs(m[k][i]) > math.Abs(m[best][i]) {
				best = k
			}
		}
		m[i], m[best] = m[best], m[i]
		if math.Abs(m[i][i]) < 1e-9 {
			return nil, false
		}
		for k := range n {
			if k == i {
				continue
			}
			f := m[k][i] / m[i][i]
			for j := i; j <= n; j++ {
				m[k][j] -= f * m[i][j]
			}
		}
	}
	solution := make([]float64, n)
	for i := range n {
		solution[i] = m[i][n] / m[i][i]
	}
	return solution, true
}

func explained(rows [][]float64, solution []float64) float64 {
	n, mean := len(solution), 0.0
	for _, r := range rows {
		mean += r[n] / float64(len(rows))
	}
	var left, all float64
	for _, r := range rows {
		said := 0.0
		for i, s := range solution {
			said += s * r[i]
		}
		left, all = left+(r[n]-said)*(r[n]-said), all+(r[n]-mean)*(r[n]-mean)
	}
	if all == 0 {
		return 1
	}
	return max(0, 1-left/all)
}
