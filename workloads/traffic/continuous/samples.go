//go:build linux

package continuous

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/workloads/load"
)

// mostIntervals is how many intervals of latency are kept: of longer traffic they are longer.
const mostIntervals = 600

// series is what is known of the traffic over time.
type series struct {
	recent    *hdrhistogram.Histogram // latencies of answers since the last sample, in nanoseconds
	under     *hdrhistogram.Histogram // of the interval under way; its time is that of the interval
	from      time.Time               // when it began; zero: none is under way
	intervals []load.Interval
	every     time.Duration // how long an interval is
	stood     uint64        // connections that ever did
	lost      []bool        // servers that had a connection and have none
}

func newSeries(servers int) series {
	most := int64(10 * time.Minute)
	return series{recent: hdrhistogram.New(1, most, 3), under: hdrhistogram.New(1, most, 3), every: time.Second, lost: make([]bool, servers)}
}

// sample says how things stand, and begins to look at latencies anew.
func (l *Traffic) sample(now int64) {
	s := load.Sample{At: time.Duration(now), Active: l.standing, Failed: l.failed, New: l.series.stood, PerServer: make([]int, len(l.spec.Servers))}
	for _, c := range l.clients {
		s.Due += c.account.Due
		s.Answered += c.account.Back.Arrived
		s.Lost += c.account.Lost()
		switch {
		case c.Cause != "":
		case !c.stands:
			s.Connecting++
		case c.Server != nil:
			s.PerServer[c.server]++
		}
	}
	for i, n := range s.PerServer {
		l.series.lost[i] = n == 0 && (l.series.lost[i] || l.lastPerServer(i) > 0)
		if n > 0 {
			s.Lasting++
		} else if l.series.lost[i] {
			s.LostHosts++
		}
	}
	if h := l.series.recent; h.TotalCount() > 0 {
		s.P50, s.P99, s.Max = time.Duration(h.ValueAtQuantile(50)), time.Duration(h.ValueAtQuantile(99)), time.Duration(h.Max())
	}
	l.mu.Lock()
	l.samples = append(l.samples, s)
	l.mu.Unlock()
	if err := l.series.keep(l.wall(now)); err != nil {
		l.fail(err)
	}
}

func (l *Traffic) lastPerServer(i int) int {
	if len(l.samples) == 0 {
		return 0
	}
	return l.samples[len(l.samples)-1].PerServer[i]
}

// keep adds what is recent to the interval under way, and ends that when it is time.
func (s *series) keep(now time.Time) error {
	if s.from.IsZero() {
		s.from = now.Add(-load.SampleEvery)
	}
	s.under.Merge(s.recent)
	s.recent.Reset()
	if now.Sub(s.from) < s.every {
		return nil
	}
	return s.end(now)
}

// end ends the interval under way. Where there are too many, two become one.
func (s *series) end(now time.Time) error {
	if s.from.IsZero() {
		return nil
	}
	text, err := s.under.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("keep latencies: %w", err)
	}
	s.intervals = append(s.intervals, load.Interval{At: s.from, Took: now.Sub(s.from), HDR: string(text)})
	s.from = now
	s.under.Reset()
	if len(s.intervals) < mostIntervals {
		return nil
	}
	s.every *= 2
	var pairs []load.Interval
	for i := 0; i+1 < len(s.intervals); i += 2 {
		pair, err := s.intervals[i].With(s.intervals[i+1])
		if err != nil {
			return err
		}
		pairs = append(pairs, pair)
	}
	s.intervals = pairs
	return nil
}
