package load

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// sampled is a report of so many samples: a message each millisecond, of which those of the sixth sample are lost.
func sampled(samples int) Report {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := Report{Spec: Spec{Protocol: UDP, Servers: []workloads.Key{{Namespace: "n", Name: "a"}, {Namespace: "n", Name: "b"}}}, Began: began, SamplesBegan: began, Took: time.Duration(samples) * SampleEvery}
	r.Samples = append(r.Samples, Sample{})
	for i := range samples {
		s := r.Samples[i]
		s.At, s.Due, s.New = time.Duration(i+1)*SampleEvery, s.Due+100, 3
		s.Active, s.PerServer, s.Lasting, s.LostHosts = 3, []int{2, 1}, 2, 0
		s.P50, s.P99, s.Max = time.Millisecond, 2*time.Millisecond, 3*time.Millisecond
		if i == 5 {
			s.Lost, s.Max, s.PerServer, s.Lasting, s.LostHosts = s.Lost+100, 0, []int{3, 0}, 1, 1
		} else {
			s.Answered += 100
		}
		r.Samples = append(r.Samples, s)
	}
	return r
}

func curveOf(t *testing.T, all []metrics.Course, name, curve string) metrics.Curve {
	t.Helper()
	for _, c := range all {
		for _, line := range c.Curves {
			if c.Name == name && line.Name == curve {
				return line
			}
		}
	}
	t.Fatalf("there is no curve %s of %s", curve, name)
	return metrics.Curve{}
}

func TestCourses(t *testing.T) {
	all := sampled(20).Courses("x")
	for curve, want := range map[string][2]float64{"answered": {1000, 0}, "lost": {0, 1000}, "due": {1000, 1000}} {
		line := curveOf(t, all, "x: throughput", curve)
		if len(line.Values) != 20 || math.Abs(line.Values[4]-want[0]) > 1e-6 || math.Abs(line.Values[5]-want[1]) > 1e-6 {
			t.Errorf("%s: got %v, want %v", curve, line.Values, want)
		}
	}
	if line := curveOf(t, all, "x: latency", "P99"); len(line.Values) != 19 || line.Values[0] != 0.002 || line.X[5]-line.X[4] < 0.15 {
		t.Errorf("where nothing was answered, no latency is known; got %v at %v", line.Values, line.X)
	}
	if lost := curveOf(t, all, "x: hosts", "lost"); lost.Values[5] != 1 || lost.Values[6] != 0 {
		t.Errorf("hosts lost: %v", lost.Values)
	}
	if to := curveOf(t, all, "x: hosts", "to n/a"); to.Values[4] != 2 || to.Values[5] != 3 {
		t.Errorf("connections to a: %v", to.Values)
	}
	long := curveOf(t, sampled(10*mostPoints).Courses("x"), "x: throughput", "lost")
	if len(long.X) > mostPoints || len(long.X) < mostPoints/2 || math.Abs(long.Values[0]-100) > 1e-6 {
		t.Errorf("%d points of a long one, the first %v", len(long.X), long.Values[0])
	}
}

func TestTextTellsSamples(t *testing.T) {
	text := sampled(20).String()
	for _, want := range []string{"median 1000 answers/s, least 0, most 1000", "3 at most", "2 servers lasted, 1 had lost"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if goes := Monitor(sampled(10).Samples); !strings.Contains(goes, "900 answers/s") || !strings.Contains(goes, "100 of 1000 lost") {
		t.Errorf("got %s", goes)
	}
}

// TestLog reads the log with the library that others use for it.
func TestLog(t *testing.T) {
	r := sampled(0)
	for i := range 3 {
		h := hdrhistogram.New(1, int64(time.Minute), 3)
		for range 10 * (i + 1) {
			if err := h.RecordValue(int64(i+1) * int64(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
		text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		r.Intervals = append(r.Intervals, Interval{At: r.Began.Add(time.Duration(i) * time.Second), Took: time.Second, HDR: string(text)})
	}
	both, err := r.Intervals[1].With(r.Intervals[2])
	if err != nil || both.Took != 2*time.Second {
		t.Fatalf("two intervals are %+v: %v", both, err)
	}
	r.Intervals = append(r.Intervals[:1], both)
	var log bytes.Buffer
	if err := r.WriteLog(&log); err != nil {
		t.Fatal(err)
	}
	reader := hdrhistogram.NewHistogramLogReader(&log)
	for _, want := range []struct {
		n   int64
		max time.Duration
	}{{10, time.Millisecond}, {50, 3 * time.Millisecond}} {
		h, err := reader.NextIntervalHistogram()
		if err != nil || h == nil {
			t.Fatalf("the log can't be read: %v\n%s", err, log.String())
		}
		if h.TotalCount() != want.n || (time.Duration(h.Max())-want.max).Abs() > 10*time.Microsecond || h.Tag() != "udp" {
			t.Errorf("n %d, max %v, tag %s; want %+v", h.TotalCount(), time.Duration(h.Max()), h.Tag(), want)
		}
	}
}
