package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// seen is the share of the variance that a growth must explain for it to be told.
const seen = 0.5

// Growth is how a quantity grows with the parameters: in a straight line from a base, or like the product of their powers.
type Growth struct {
	Linear bool
	Base   float64   // linear: with all parameters at 0, in the quantity's unit
	By     []float64 // of the axes, in their order: linear, for each one more; else the power, with which 1 grows as the parameter does
	Fit    float64   // share of the medians' variance that this explains (R²)
}

// Growth fits a straight line and powers to the medians by least squares, the powers over the logarithms, and returns what explains more. It
// is not known (false) unless all values of the axes are numbers and there are at least two points more than numbers to find, nor where
// neither explains half of the variance: then it is noise, or no growth.
func (c Compared) Growth(axes []Axis) (best Growth, known bool) {
	rows := c.rows(axes)
	if len(rows) < len(axes)+3 {
		return best, false
	}
	if s, ok := leastSquares(rows); ok {
		best = Growth{Linear: true, Base: s[0], By: s[1:], Fit: explained(rows, func(r []float64) float64 { return dot(s, r) })}
	}
	if logs := logarithms(rows); logs != nil {
		if s, ok := leastSquares(logs); ok {
			fit := explained(rows, func(r []float64) float64 { return math.Exp(dot(s, logarithm(r))) })
			if fit > best.Fit+0.02 { // a line that does as well is simpler
				best = Growth{By: s[1:], Fit: fit}
			}
		}
	}
	return best, best.Fit >= seen
}

// rows are 1, the parameters and the median of each point that was measured; nil: a parameter is no number.
func (c Compared) rows(axes []Axis) (rows [][]float64) {
	for _, p := range c.Points {
		if p.N == 0 {
			continue
		}
		row := []float64{1}
		for i, a := range axes {
			numbers := a.numbers()
			if numbers == nil {
				return nil
			}
			row = append(row, numbers[slices.Index(a.Values, p.Values[i])])
		}
		rows = append(rows, append(row, p.Median))
	}
	return rows
}

// words tells the growth, such as "from 8.40 by 0.021 for each of endpoints, MiB (R² 0.97)".
func (g Growth) words(unit string, axes []Axis) string {
	var words []string
	for i, a := range axes {
		if g.Linear {
			words = append(words, fmt.Sprintf("%s for each of %s", number(g.By[i]), a.Name))
		} else {
			words = append(words, fmt.Sprintf("%s^%.2f", a.Name, g.By[i]))
		}
	}
	if !g.Linear {
		return fmt.Sprintf("grows like %s (R² %.2f)", strings.Join(words, " · "), g.Fit)
	}
	if unit != "" {
		unit = ", in " + unit
	}
	return fmt.Sprintf("grows from %s by %s%s (R² %.2f)", number(g.Base), strings.Join(words, " and "), unit, g.Fit)
}

// logarithms returns the rows' logarithms; nil: a number is not above 0.
func logarithms(rows [][]float64) (logs [][]float64) {
	for _, r := range rows {
		if slices.Min(r) <= 0 {
			return nil
		}
		logs = append(logs, logarithm(r))
	}
	return logs
}

// logarithm is that of all numbers of a row but the first, which stays 1.
func logarithm(row []float64) []float64 {
	l := []float64{1}
	for _, v := range row[1:] {
		l = append(l, math.Log(v))
	}
	return l
}

// dot is the sum of the products of a solution's numbers and a row's.
func dot(solution, row []float64) (sum float64) {
	for i, s := range solution {
		sum += s * row[i]
	}
	return sum
}

// leastSquares solves the normal equations of rows, whose last number is what the others are to explain; false: they have no one solution.
func leastSquares(rows [][]float64) ([]float64, bool) {
	n := len(rows[0]) - 1
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		for _, r := range rows {
			for j := range n + 1 {
				m[i][j] += r[i] * r[j]
			}
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

// explained is the share of the last numbers' variance that is explained by what is said of each row.
func explained(rows [][]float64, said func([]float64) float64) float64 {
	mean := 0.0
	for _, r := range rows {
		mean += r[len(r)-1] / float64(len(rows))
	}
	var left, all float64
	for _, r := range rows {
		v := r[len(r)-1]
		left, all = left+(v-said(r))*(v-said(r)), all+(v-mean)*(v-mean)
	}
	if all == 0 {
		return 0 // it never moved: there is nothing to explain
	}
	return max(0, 1-left/all)
}
