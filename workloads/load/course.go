package load

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/metrics"
)

// mostPoints is how many points a curve has at most: a screen shows no more.
const mostPoints = 1000

// Courses are how the traffic went, under its name: latency, throughput, connections and hosts over time, and the latency's percentiles.
func (r Report) Courses(name string) []metrics.Course {
	all := []metrics.Course{
		r.course(name+": latency", "How long answers took that came since the sample before, from when their messages were due.", metrics.Seconds,
			curve{"P50", func(s, _ Sample, _ float64) (float64, bool) { return s.P50.Seconds(), s.Answered > 0 && s.Max > 0 }},
			curve{"P99", func(s, _ Sample, _ float64) (float64, bool) { return s.P99.Seconds(), s.Max > 0 }},
			curve{"max", func(s, _ Sample, _ float64) (float64, bool) { return s.Max.Seconds(), s.Max > 0 }}),
		r.course(name+": throughput", "Messages a second.", "1/s",
			curve{"answered", func(s, last Sample, took float64) (float64, bool) {
				return float64(s.Answered-last.Answered) / took, true
			}},
			curve{"due", func(s, last Sample, took float64) (float64, bool) { return float64(s.Due-last.Due) / took, true }},
			curve{"lost", func(s, last Sample, took float64) (float64, bool) { return float64(s.Lost-last.Lost) / took, true }}),
		r.course(name+": connections", "New ones stood since the sample before, failed ones are counted from the beginning.", metrics.Count,
			curve{"active", func(s, _ Sample, _ float64) (float64, bool) { return float64(s.Active), true }},
			curve{"connecting", func(s, _ Sample, _ float64) (float64, bool) { return float64(s.Connecting), true }},
			curve{"failed", func(s, _ Sample, _ float64) (float64, bool) { return float64(s.Failed), true }},
			curve{"new", func(s, last Sample, _ float64) (float64, bool) { return float64(s.New - last.New), true }}),
	}
	all = append(all, r.hosts(name))
	if p := r.Latency.Quantiles(); !r.Spec.Idle && len(p.Curves) > 0 {
		p.Name = name + ": " + p.Name
		all = append(all, p)
	}
	return all
}

// Monitor says in a few words how traffic goes, by its newest samples; empty: there are none.
func Monitor(samples []Sample) string {
	if len(samples) == 0 {
		return ""
	}
	first, now := samples[0], merged(samples)
	rate := 0.0
	if took := (now.At - first.At).Seconds(); took > 0 {
		rate = float64(now.Answered-first.Answered) / took
	}
	return fmt.Sprintf("%.0f answers/s, worst %s; %d of %d lost; %d connections, %d connecting, %d failed", rate, now.Max.Round(10*time.Microsecond),
		now.Lost, now.Due, now.Active, now.Connecting, now.Failed)
}

// hosts are the servers over time, and the connections to each.
func (r Report) hosts(name string) metrics.Course {
	curves := []curve{
		{"lasting", func(s, _ Sample, _ float64) (float64, bool) { return float64(s.Lasting), true }},
		{"lost", func(s, _ Sample, _ float64) (float64, bool) { return float64(s.LostHosts), true }},
	}
	if len(r.Spec.Servers) < 2 {
		return r.course(name+": hosts", "Servers with a connection that stands, and those that have lost all of theirs.", metrics.Count, curves...)
	}
	for i, server := range r.Spec.Servers {
		curves = append(curves, curve{"to " + Place(server), func(s, _ Sample, _ float64) (float64, bool) {
			if i >= len(s.PerServer) {
				return 0, true
			}
			return float64(s.PerServer[i]), true
		}})
	}
	return r.course(name+": hosts", "Servers with a connection that stands, those that have lost all of theirs, and the connections that stand to each that has answered.",
		metrics.Count, curves...)
}

// curve is a line, with what of a sample it shows beside the one before, took seconds ago; false: nothing.
type curve struct {
	name string
	of   func(s, last Sample, took float64) (float64, bool)
}

// course draws samples: of many, each that comes after a fixed number of others.
func (r Report) course(name, doc string, unit metrics.Unit, curves ...curve) metrics.Course {
	step := (len(r.Samples) + mostPoints - 1) / mostPoints
	c := metrics.Course{Name: name, Doc: doc, Unit: unit, Began: r.SamplesBegan, Every: float64(step) * SampleEvery.Seconds()}
	for _, line := range curves {
		drawn := metrics.Curve{Name: line.name}
		var last Sample
		for i := step - 1; i >= 0 && i < len(r.Samples); i += step {
			s := merged(r.Samples[i-step+1 : i+1])
			if took := (s.At - last.At).Seconds(); took > 0 {
				if v, ok := line.of(s, last, took); ok {
					drawn.Add(s.At.Seconds(), v)
				}
			}
			last = s
		}
		c.Curves = append(c.Curves, drawn)
	}
	return c
}

// merged is the last of some samples, with the worst latencies of all: no quantile follows from several.
func merged(samples []Sample) Sample {
	all := samples[len(samples)-1]
	for _, s := range samples {
		all.P50, all.P99, all.Max = max(all.P50, s.P50), max(all.P99, s.P99), max(all.Max, s.Max)
	}
	return all
}

// Interval is the latency of the answers that came in a part of the traffic's time.
type Interval struct {
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took"`
	HDR  string        `json:"hdr"` // nanoseconds, as HdrHistogram encodes them (V2, compressed, base64)
}

// With is an interval and the one that follows it, as one.
func (i Interval) With(next Interval) (Interval, error) {
	a, err := hdrhistogram.Decode([]byte(i.HDR))
	if err != nil {
		return i, fmt.Errorf("read latencies: %w", err)
	}
	b, err := hdrhistogram.Decode([]byte(next.HDR))
	if err != nil {
		return i, fmt.Errorf("read latencies: %w", err)
	}
	a.Merge(b)
	text, err := a.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return Interval{At: i.At, Took: next.At.Add(next.Took).Sub(i.At), HDR: string(text)}, err
}

// WriteLog writes the latencies as a log of HdrHistogram (version 1.3), whose tools and libraries read it: intervals with a tag, in
// nanoseconds.
func (r Report) WriteLog(w io.Writer) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	err := log.OutputComment("[nodefv: latency of answers by " + string(r.Spec.Protocol) + ", from when their messages were due, in nanoseconds]")
	for _, step := range []func() error{
		log.OutputLogFormatVersion, func() error { return log.OutputStartTime(r.Began.UnixMilli()) }, log.OutputLegend,
	} {
		if err == nil {
			err = step()
		}
	}
	for _, i := range r.Intervals {
		if err != nil {
			break
		}
		var h *hdrhistogram.Histogram
		if h, err = hdrhistogram.Decode([]byte(i.HDR)); err != nil {
			break
		}
		h.SetTag(string(r.Spec.Protocol))
		h.SetStartTimeMs(i.At.UnixMilli())
		h.SetEndTimeMs(i.At.Add(i.Took).UnixMilli())
		err = log.OutputIntervalHistogram(h)
	}
	if err != nil {
		return fmt.Errorf("write HDR log: %w", err)
	}
	return nil
}
