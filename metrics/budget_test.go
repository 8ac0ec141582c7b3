package metrics

import (
	"math"
	"strings"
	"testing"
)

func TestTrend(t *testing.T) {
	// Worked by hand: slope 0.6, residual sum of squares 2.4, 3 degrees of freedom, t = 3.1824, half width 0.9.
	got := TrendOf([]float64{1, 2, 3, 4, 5}, []float64{2, 4, 5, 4, 5})
	half := 3.182446305284263 * math.Sqrt(2.4/3/10)
	if !got.Known || math.Abs(got.Slope-0.6) > 1e-9 || math.Abs(got.Low-(0.6-half)) > 1e-6 || math.Abs(got.High-(0.6+half)) > 1e-6 {
		t.Errorf("got %+v", got)
	}
	if got := TrendOf([]float64{1, 2}, []float64{1, 2}); got.Known || got.N != 2 {
		t.Errorf("two points: %+v", got)
	}
	if got := TrendOf([]float64{4, 4, 4}, []float64{1, 2, 3}); got.Known {
		t.Errorf("one cycle: %+v", got)
	}
	if got := TrendOf([]float64{1, 2, 3, 4}, []float64{7, 7, 7, 7}); !got.Known || got.Low != 0 || got.High != 0 {
		t.Errorf("flat: %+v", got)
	}
}

func settled(values ...float64) []Point {
	var points []Point
	for i, v := range values {
		p := Point{Phase: Phase{Step: "churn", Cycle: i + 1, Settled: true}, Values: Snapshot{}}
		if v >= 0 {
			p.Values[HeapBytes] = v * (1 << 20)
		}
		points = append(points, p, Point{Phase: Phase{Step: "churn", Cycle: i + 1}, Values: Snapshot{HeapBytes: 1e12}},
			Point{Phase: Phase{Step: "other", Cycle: i + 1, Settled: true}, Values: Snapshot{HeapBytes: 1e12}})
	}
	return points
}

func TestBudget(t *testing.T) {
	const mib, gap = 1 << 20, -1
	slope := Budget{Gauge: HeapBytes, Step: "churn", SlopePerCycle: mib}
	ceiling := Budget{Gauge: HeapBytes, Step: "churn", Max: 50 * mib}
	for name, c := range map[string]struct {
		budget Budget
		points []Point
		want   Verdict
		reason string
	}{
		"flat":              {slope, settled(10, 10, 10, 10), Pass, "grows by 0 B per cycle"},
		"shrinking":         {slope, settled(40, 30, 20, 10), Pass, "within the allowed 1.0 MiB"},
		"leak":              {slope, settled(10, 15, 20.2, 25, 30.1), Fail, "more than the allowed 1.0 MiB"},
		"straddles":         {slope, settled(10, 30, 5, 28, 14), Inconclusive, "more cycles are needed"},
		"two points":        {slope, settled(10, 20), Inconclusive, "2 settled readings, 3 are needed"},
		"too few wanted":    {Budget{Gauge: HeapBytes, SlopePerCycle: mib, Step: "churn", MinPoints: 6}, settled(1, 1, 1, gap), Inconclusive, "6 are needed; 1 more could not be read"},
		"gaps":              {slope, settled(10, gap, 10, gap, 10), Inconclusive, "2 of 5 settled readings are missing"},
		"one gap in five":   {slope, settled(10, 10, gap, 10, 10), Pass, ""},
		"warm-up":           {Budget{Gauge: HeapBytes, SlopePerCycle: mib, Step: "churn", Discard: 2}, settled(1, 40, 80, 80, 80, 80), Pass, "4 readings"},
		"all warm-up":       {Budget{Gauge: HeapBytes, SlopePerCycle: mib, Step: "churn", Discard: 9}, settled(1, 2, 3, 4), Inconclusive, "0 settled readings"},
		"nothing":           {slope, nil, Inconclusive, "0 settled readings"},
		"under the ceiling": {ceiling, settled(10, 49.9), Pass, "within the ceiling of 50.0 MiB"},
		"over the ceiling":  {ceiling, settled(10, 60, 20), Fail, `heap_bytes after step "churn": 60.0 MiB, above the ceiling of 50.0 MiB in cycle 2`},
		"one is evidence":   {Budget{Gauge: HeapBytes, Step: "churn", Max: mib, MinPoints: 9}, settled(60), Fail, "above"},
		"ceiling unread":    {ceiling, settled(gap), Inconclusive, "could not be read"},
		"no limit":          {Budget{Gauge: HeapBytes}, settled(1, 2, 3), Inconclusive, "no limit"},
		"both":              {Budget{Gauge: HeapBytes, Step: "churn", Max: 50 * mib, SlopePerCycle: mib}, settled(1, 11, 21, 31), Fail, "grows by 10.0 MiB"},
		"all steps":         {Budget{Gauge: HeapBytes, Max: 50 * mib}, settled(1), Fail, "heap_bytes: "},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := c.budget.Judge(c.points)
			if got != c.want || !strings.Contains(reason, c.reason) || reason == "" || strings.Contains(reason, "\n") {
				t.Errorf("got %v: %s, want %v: %s", got, reason, c.want, c.reason)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		gauge Gauge
		value float64
		want  string
	}{
		{HeapBytes, 0, "0 B"}, {HeapBytes, -1536, "-1.5 KiB"}, {RSSBytes, 135 << 20, "135.0 MiB"}, {CPUSeconds, 1.005, "1.00 s"},
		{Goroutines, 12, "12"}, {Goroutines, 0.123456, "0.1235"},
	} {
		if got := c.gauge.Format(c.value); got != c.want {
			t.Errorf("%s %v: got %q, want %q", c.gauge, c.value, got, c.want)
		}
	}
}

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		in   []Verdict
		want Verdict
	}{
		{nil, Inconclusive}, {[]Verdict{Skip, Skip}, Skip}, {[]Verdict{Skip, Pass}, Pass}, {[]Verdict{Pass, Inconclusive, Skip}, Inconclusive},
		{[]Verdict{Inconclusive, Fail, Pass}, Fail},
	} {
		if got := Worst(c.in...); got != c.want {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
	}
}
