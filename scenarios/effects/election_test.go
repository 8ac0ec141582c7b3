package effects

import (
	"testing"
	"time"
)

func TestReign(t *testing.T) {
	begun := time.Now()
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	tenure := func(candidate, from, to int) Tenure { return Tenure{candidate, at(from), at(to)} }
	for name, c := range map[string]struct {
		tenures []Tenure
		want    Reign
	}{
		"nobody ever":          {nil, Reign{}},
		"one":                  {[]Tenure{tenure(0, 2, 10)}, Reign{}},
		"gone before the end":  {[]Tenure{tenure(0, 0, 8)}, Reign{Without: 2 * time.Second}},
		"handed over":          {[]Tenure{tenure(1, 5, 10), tenure(0, 0, 3)}, Reign{Changes: 1, Without: 2 * time.Second}},
		"the same comes again": {[]Tenure{tenure(0, 0, 3), tenure(0, 4, 10)}, Reign{Changes: 1, Without: time.Second}},
		"two at once":          {[]Tenure{tenure(0, 0, 6), tenure(1, 4, 10)}, Reign{Changes: 1, Two: 2 * time.Second}},
		"two, one within":      {[]Tenure{tenure(0, 0, 10), tenure(1, 4, 5)}, Reign{Changes: 1, Two: time.Second}},
		"three at once":        {[]Tenure{tenure(0, 0, 10), tenure(1, 4, 6), tenure(0, 5, 7)}, Reign{Changes: 2, Two: 4 * time.Second}},
	} {
		if got := ReignOf(c.tenures, at(10)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
