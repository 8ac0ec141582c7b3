package metrics

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestExpectIsBinomialWhereAllChancesAreAlike(t *testing.T) {
	const n, p = 400, 0.3
	e := Expect(slices.Repeat([]float64{p}, n))
	b := distuv.Binomial{N: n, P: p}
	if math.Abs(e.Mean-n*p) > 1e-9 {
		t.Errorf("mean %g", e.Mean)
	}
	if b.CDF(float64(e.Low-1)) >= surprise || b.CDF(float64(e.Low)) < surprise {
		t.Errorf("fewer than %d have a chance of %g, not more of %g", e.Low, b.CDF(float64(e.Low-1)), b.CDF(float64(e.Low)))
	}
	if above := 1 - b.CDF(float64(e.High)); above >= surprise*1.001 {
		t.Errorf("more than %d have a chance of %g", e.High, above)
	}
	if alike := ExpectAlike(n, p); alike.Low != e.Low || alike.High != e.High || alike.Mean != n*p {
		t.Errorf("of alike ones %+v, of each %+v", alike, e)
	}
	if !e.Holds(120) || e.Holds(e.Low-1) || e.Holds(e.High+1) {
		t.Error("the bounds are not held")
	}
}

func TestExpectWhatIsCertain(t *testing.T) {
	for _, c := range []struct {
		chances []float64
		want    Expected
	}{
		{nil, Expected{}},
		{[]float64{0, 0, 0}, Expected{}},
		{[]float64{1, 0, 1}, Expected{2, 2, 2}},
		{[]float64{1, 0.5}, Expected{1.5, 1, 2}},
	} {
		if got := Expect(c.chances); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.chances, got, c.want)
		}
	}
}
