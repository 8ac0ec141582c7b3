//go:build linux

package impair

import "math/bits"

// chain is a model of losses as a Markov chain: the chances to go from a state to each, with each packet, and the share that is lost in it. The
// first packet is in state 0.
type chain struct {
	to   [][]float64
	lost []float64
}

// chain is the model of losses that come in bursts; its zero value if they come by chance, each for itself.
func (l Loss) chain() chain {
	switch g, f := l.GilbertElliott, l.FourState; {
	case g != nil:
		return chain{[][]float64{{1 - g.ToBad, g.ToBad}, {g.ToGood, 1 - g.ToGood}}, []float64{g.LostGood, g.LostBad}}
	case f != nil:
		return chain{[][]float64{
			{1 - f.P14 - f.P13, 0, f.P13, f.P14},
			{0, 1 - f.P23, f.P23, 0},
			{f.P31, f.P32, 1 - f.P31 - f.P32, 0},
			{1, 0, 0, 0},
		}, []float64{0, 0, 1, 1}}
	}
	return chain{}
}

// bursts returns which share is lost in the long run, and by what factor the number of losses varies more than that of losses that come each for
// itself: so many packets say no more than one would then.
func (c chain) bursts() (share, factor float64) {
	limit := c.lazy()
	for range 64 {
		limit = rows(product(limit, limit))
	}
	in := limit[0]
	for i, p := range in {
		share += p * c.lost[i]
	}
	factor = 1
	if share <= 0 || share >= 1 {
		return share, factor
	}
	// By doubling: the sum of the first n powers of what the chain remembers, and its n-th power.
	power, sum := minus(c.to, limit), minus(c.to, limit)
	for range bits.Len(Period) - 1 {
		sum = plus(sum, product(power, sum))
		power = product(power, power)
	}
	for i, row := range sum {
		for j, remembered := range row {
			factor += 2 * in[i] * c.lost[i] * remembered * c.lost[j] / (share * (1 - share))
		}
	}
	return share, max(factor, 1)
}

// lazy is the chain that stays where it is every other time: it comes to the same shares, also if the chain goes round in circles.
func (c chain) lazy() [][]float64 {
	l := minus(c.to, nil)
	for i, row := range l {
		for j := range row {
			row[j] /= 2
		}
		row[i] += 0.5
	}
	return l
}

// rows makes each row add up to 1 again: by how little it does not, 64 squares make much.
func rows(m [][]float64) [][]float64 {
	return each(m, func(i, j int) float64 {
		sum := 0.0
		for _, v := range m[i] {
			sum += v
		}
		return m[i][j] / sum
	})
}

func product(a, b [][]float64) [][]float64 {
	return each(a, func(i, j int) (sum float64) {
		for k := range b {
			sum += a[i][k] * b[k][j]
		}
		return sum
	})
}

func plus(a, b [][]float64) [][]float64 {
	return each(a, func(i, j int) float64 { return a[i][j] + b[i][j] })
}

// minus returns a - b; b may be nil, which is zero.
func minus(a, b [][]float64) [][]float64 {
	return each(a, func(i, j int) float64 {
		if b == nil {
			return a[i][j]
		}
		return a[i][j] - b[i][j]
	})
}

func each(like [][]float64, at func(i, j int) float64) [][]float64 {
	m := make([][]float64, len(like))
	for i := range m {
		m[i] = make([]float64, len(like))
		for j := range m[i] {
			m[i][j] = at(i, j)
		}
	}
	return m
}
