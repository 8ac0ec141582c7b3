//go:build linux

package impair

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/metrics"
)

// Report is an impairment and what it has done since it was set or changed.
type Report struct {
	Impairment
	Since    time.Time       `json:"since"`
	Counters Counters        `json:"counters"`
	Held     *Held           `json:"held,omitempty"` // nil: the impairment holds no packets back
	Proof    []metrics.Claim `json:"proof"`
}

// Counters are the kernel's. A train of TCP segments that the kernel handles at once is one packet. Bytes are those from
// the Ethernet header on.
type Counters struct {
	Packets   uint64 `json:"packets"` // that matched
	Bytes     uint64 `json:"bytes"`
	Lost      uint64 `json:"lost"` // of them, by order
	LostBytes uint64 `json:"lostBytes"`
}

// Held is what was done to packets that were held back.
type Held struct {
	Came       uint64 `json:"came"`    // packets, of which each was doubled or not
	Kept       uint64 `json:"kept"`    // of them and their doubles, of which each was reordered and corrupted or not
	Waiting    int    `json:"waiting"` // now
	Sent       uint64 `json:"sent"`
	Duplicated uint64 `json:"duplicated"`
	Reordered  uint64 `json:"reordered"`
	Corrupted  uint64 `json:"corrupted"`
	Dropped    uint64 `json:"dropped"` // for want of room: see Quality.Limit

	Delay    Spread `json:"delay"`    // from the kernel's note of when a packet came to its going
	Lateness Spread `json:"lateness"` // how much after it was due a packet went: the emulator's own error
	// KernelDelay is the mean delay by the kernel's clocks at both ends; 0: not known, as while nothing was sent.
	KernelDelay time.Duration `json:"kernelDelay,omitzero"`
	Rate        float64       `json:"rate,omitzero"` // bits a second while packets waited for the line; 0: none did
}

// Spread is how durations are distributed, to three digits.
type Spread struct {
	N   int64         `json:"n"`
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

func spreadOf(h *hdrhistogram.Histogram) Spread {
	return Spread{h.TotalCount(), time.Duration(h.ValueAtQuantile(50)), time.Duration(h.ValueAtQuantile(99)), time.Duration(h.Max())}
}

const (
	// accuracy and resolution are how far a delay may be off.
	accuracy   = 0.05
	resolution = time.Millisecond
)

// InForce reports whether all that was asked was achieved, and in which words it was not.
func (r Report) InForce() (bool, string) {
	for _, c := range r.Proof {
		if c.State != metrics.InForce {
			return false, c.String()
		}
	}
	if r.Counters.Packets == 0 {
		return false, "no packet matched"
	}
	return true, ""
}

// Show says what is in force and what it has done, in the order in which it was set.
func (l *Link) Show() ([]Report, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Report
	for _, r := range l.rules {
		report, err := r.report()
		if err != nil {
			return nil, fmt.Errorf("show impairment %s: %w", r.asked.Name, err)
		}
		all = append(all, report)
	}
	return all, nil
}

func (r *rule) report() (Report, error) {
	m := r.memory
	report := Report{Impairment: r.asked, Since: r.since, Proof: []metrics.Claim{}, Counters: Counters{
		Packets: m.load(offPackets), Bytes: m.load(offBytes), Lost: m.load(offLost), LostBytes: m.load(offLostBytes),
	}}
	if r.detour != nil {
		held, err := r.detour.held()
		if err != nil {
			return report, err
		}
		report.Held = &held
		report.Proof = held.claims(r.asked.Quality)
	}
	if r.schedule != nil {
		numbered := m.load(offNumbered)
		expected := float64(r.schedule.of(numbered, r.asked.Loss.once()))
		if r.asked.Loss.Share > 0 && r.asked.Loss.Correlation == 0 { // what was asked, not what was drawn
			expected = r.asked.Loss.Share * float64(numbered)
		}
		factor := 1.0
		if c := r.asked.Loss.chain(); c.to != nil {
			var share float64
			share, factor = c.bursts()
			expected, factor = share*float64(numbered), factor*max(1, float64(numbered)/Period) // what was drawn comes again
		}
		report.Proof = append(report.Proof, metrics.ClaimBursts("loss", expected, report.Counters.Lost, numbered, factor))
	}
	return report, nil
}

// claims compares what was asked with what was done to the packets that were held.
func (h Held) claims(q Quality) (all []metrics.Claim) {
	if n := uint64(h.Delay.N); (q.Delay > 0 || q.Jitter > 0) && q.Rate == 0 && q.Reordering.none() {
		c := metrics.Claim{Property: "delay", Asked: q.Delay.Seconds(), Achieved: h.Delay.P50.Seconds(), N: n}
		if n == 0 && h.KernelDelay > 0 { // netem
			c.Achieved, c.N = h.KernelDelay.Seconds(), h.Sent
		}
		off := max(accuracy*c.Asked, resolution.Seconds())
		if q.Jitter > 0 { // the median of n samples; its standard error is at most that of the widest distribution
			off += 4 * q.Jitter.Seconds() / math.Sqrt(float64(max(n, 1)))
			if q.Distribution == Pareto { // its median is below its mean
				off += 0.4 * q.Jitter.Seconds()
			}
		}
		c.Low, c.High = c.Asked-off, c.Asked+off
		all = append(all, c.Judged())
	}
	for _, s := range []struct {
		property string
		asked    Chance
		got, of  uint64
	}{
		{"duplication", q.Duplication, h.Duplicated, h.Came}, {"reordering", q.Reordering, h.Reordered, h.Kept},
		{"corruption", q.Corruption, h.Corrupted, h.Kept},
	} {
		if s.asked.Share > 0 {
			all = append(all, metrics.ClaimShare(s.property, s.asked.Share*float64(s.of), s.got, s.of))
		}
	}
	if q.Rate > 0 {
		c := metrics.Claim{Property: "rate", Asked: float64(q.Rate), Achieved: h.Rate, N: h.Sent}
		c.Low, c.High = c.Asked*(1-accuracy), c.Asked*(1+accuracy)
		if h.Rate == 0 {
			c.N = 0 // the line was never the limit
		}
		all = append(all, c.Judged())
	}
	return all
}
