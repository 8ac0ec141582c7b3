package harness

import "testing"

func TestSpread(t *testing.T) {
	if got, want := spread([]float64{3, 1, 200, 2}), "2.50 (1.00–200)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := spread(nil); got != "–" {
		t.Errorf("nothing is %q", got)
	}
}
