package metrics

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func values(all ...float64) (samples []Sample) {
	for _, v := range all {
		samples = append(samples, Sample{Value: v})
	}
	return samples
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	m := Measurement{Samples: values(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)}
	for q, want := range map[float64]float64{0.5: 5, 0.9: 9, 0.99: 10, 1: 10, 0.01: 1} {
		if got := m.Quantile(q); got != want {
			t.Errorf("quantile %g: got %g, want %g", q, got, want)
		}
	}
}

func TestDoubt(t *testing.T) {
	fine := func(value, resolution float64) Sample { return Sample{Value: value, Resolution: resolution} }
	for name, c := range map[string]struct {
		m    Measurement
		want string
	}{
		"fine":            {Measurement{Samples: []Sample{fine(40, 1), fine(60, 1)}}, ""},
		"coarse":          {Measurement{Samples: []Sample{fine(20, 11)}}, "the resolution is too coarse"},
		"coarse at times": {Measurement{Samples: []Sample{fine(20, 1), fine(20, 1), fine(21, 22)}}, "the resolution is too coarse"},
		"not known":       {Measurement{Samples: values(3)}, ""},
		"of its taker":    {Measurement{Samples: values(3), Invalid: "busy"}, "busy"},
		"nothing":         {Measurement{Without: 2}, ""},
	} {
		if got := c.m.Doubt(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestMeasurementInOneLine(t *testing.T) {
	m := Measurement{Name: "cut", Unit: Seconds, Labels: []Label{{"protocol", "TCP"}}, Without: 1,
		Samples: []Sample{Since(time.Time{}, 40*time.Millisecond, time.Millisecond), Since(time.Time{}, 60*time.Millisecond, 0)}}
	if got, want := m.String(), "cut, protocol TCP: n 2 of 3, P50 40.0 ms, P99 60.0 ms, max 60.0 ms"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := (Measurement{Name: "left", Samples: values(3), Invalid: "busy"}).String(), "left: n 1, P50 3, P99 3, max 3; invalid: busy"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A histogram must say the same as samples, to its digits, also once it was stored and once another was added.
func TestHistogramSaysWhatSamplesSay(t *testing.T) {
	exact, parts := Measurement{Unit: Seconds}, [2]Measurement{}
	for i := range parts {
		parts[i] = Measurement{Name: "m", Unit: Seconds, Histogram: NewHistogram(1e-6, 10)}
	}
	for i := range 20000 {
		v := math.Pow(float64(i+1)/20000, 3) // up to 1 s, most of it short
		exact.Samples = append(exact.Samples, Sample{Value: v})
		if err := parts[i%2].Histogram.Record(v); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var m Measurement
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if err := m.Add(parts[1]); err != nil {
		t.Fatal(err)
	}
	if m.N() != 20000 || parts[1].N() != 10000 || m.Doubt() != "" {
		t.Errorf("%d values, %d of which were added; %s", m.N(), parts[1].N(), m.Doubt())
	}
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		if got, want := m.Quantile(q), exact.Quantile(q); math.Abs(got-want) > want/500+1e-6 {
			t.Errorf("quantile %g: got %g, want %g", q, got, want)
		}
	}
	if m.Resolution(0.5) != 1e-6 {
		t.Errorf("resolution %g", m.Resolution(0.5))
	}
}

func TestHistogramRefuses(t *testing.T) {
	m := Measurement{Histogram: NewHistogram(1, 100)}
	for _, v := range []float64{-1, 1e6} {
		if err := m.Histogram.Record(v); err == nil {
			t.Errorf("%g was recorded", v)
		}
	}
	if err := m.Histogram.Record(3); err != nil {
		t.Fatal(err)
	}
	coarser := NewHistogram(2, 100)
	if err := coarser.Record(3); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Measurement{"samples": {Samples: values(1)}, "another step": {Histogram: coarser}} {
		if err := m.Add(o); err == nil || m.N() != 1 {
			t.Errorf("%s: added, %v", name, err)
		}
	}
}
