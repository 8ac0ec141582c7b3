package metrics

import "testing"

func TestShareKnowsItsInterval(t *testing.T) {
	for _, c := range []struct {
		expected, happened float64
		of                 uint64
		want               ClaimState
	}{
		{3, 3, 10, Unproved},
		{30, 33, 1000, InForce},
		{30, 90, 1000, NotInForce},
		{30, 0, 1000, NotInForce},
		{0.5, 0, 1000, InForce},
		{1000, 1000, 1000, InForce},
		{1, 1, 1, InForce},    // all that came
		{2, 1, 2, NotInForce}, // one came through
		{0, 0, 0, Unproved},
	} {
		if got := ClaimShare("loss", c.expected, uint64(c.happened), c.of); got.State != c.want {
			t.Errorf("%g expected: %v", c.expected, got)
		}
	}
}
