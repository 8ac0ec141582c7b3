//go:build linux

package impair

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/gonum/stat/distuv"
)

// Report is an impairment and what it has done since it was set or changed.
type Report struct {
	Impairment
	Since    time.Time `json:"since"`
	Counters Counters  `json:"counters"`
	Held     *Held     `json:"held,omitempty"` // nil: the impairment holds no packets back
	Proof    []Claim   `json:"proof"`
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

// Claim is one property: what was asked, what was achieved, and within which bounds that counts as the same. The unit is
// seconds for delays, bits a second for the rate, else a share.
type Claim struct {
	Property string  `json:"property"` // delay, jitter, loss, duplication, reordering, corruption, rate
	Asked    float64 `json:"asked"`
	Achieved float64 `json:"achieved"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	N        uint64  `json:"n"` // packets that it rests on
	State    State   `json:"state"`
}

// State is whether an impairment was in force.
type State string

// The states of a claim.
const (
	InForce    State = "in force"
	NotInForce State = "not in force"
	Unknown    State = "unknown" // too few packets, or none that would show it
)

const (
	enough = 20 // packets that a claim needs
	// certainty is how sure the bounds of a share are: one right claim in a thousand is outside.
	certainty = 0.999
	// accuracy and resolution are how far a delay may be off.
	accuracy   = 0.05
	resolution = time.Millisecond
)

// InForce reports whether all that was asked was achieved, and in which words it was not.
func (r Report) InForce() (bool, string) {
	for _, c := range r.Proof {
		if c.State != InForce {
			return false, c.String()
		}
	}
	if r.Counters.Packets == 0 {
		return false, "no packet matched"
	}
	return true, ""
}

// String tells the claim in one line.
func (c Claim) String() string {
	show := func(v float64) string {
		switch c.Property {
		case "delay", "jitter":
			return time.Duration(v * float64(time.Second)).Round(time.Microsecond).String()
		case "rate":
			return fmt.Sprintf("%.3g Mbit/s", v/1e6)
		}
		return fmt.Sprintf("%.3f %%", 100*v)
	}
	if c.State == Unknown {
		return fmt.Sprintf("%s: asked %s, achieved unknown (n %d)", c.Property, show(c.Asked), c.N)
	}
	return fmt.Sprintf("%s: asked %s, achieved %s (%s to %s, n %d): %s", c.Property, show(c.Asked), show(c.Achieved), show(c.Low), show(c.High), c.N, c.State)
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
	report := Report{Impairment: r.asked, Since: r.since, Proof: []Claim{}, Counters: Counters{
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
		report.Proof = append(report.Proof, share("loss", expected, report.Counters.Lost, numbered))
	}
	return report, nil
}

// claims compares what was asked with what was done to the packets that were held.
func (h Held) claims(q Quality) (all []Claim) {
	if n := uint64(h.Delay.N); (q.Delay > 0 || q.Jitter > 0) && q.Rate == 0 && q.Reordering.none() {
		c := Claim{Property: "delay", Asked: q.Delay.Seconds(), Achieved: h.Delay.P50.Seconds(), N: n}
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
		all = append(all, c.judged())
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
			all = append(all, share(s.property, s.asked.Share*float64(s.of), s.got, s.of))
		}
	}
	if q.Rate > 0 {
		c := Claim{Property: "rate", Asked: float64(q.Rate), Achieved: h.Rate, N: h.Sent}
		c.Low, c.High = c.Asked*(1-accuracy), c.Asked*(1+accuracy)
		if h.Rate == 0 {
			c.N = 0 // the line was never the limit
		}
		all = append(all, c.judged())
	}
	return all
}

// share compares how many packets it was to happen to with how many it did, within the binomial interval (Clopper and
// Pearson) of what happened.
func share(property string, expected float64, happened, of uint64) Claim {
	c := Claim{Property: property, N: of}
	if of > 0 {
		n, k := float64(of), float64(happened)
		c.Asked, c.Achieved, c.High = expected/n, k/n, 1
		if k > 0 {
			c.Low = distuv.Beta{Alpha: k, Beta: n - k + 1}.Quantile((1 - certainty) / 2)
		}
		if k < n {
			c.High = distuv.Beta{Alpha: k + 1, Beta: n - k}.Quantile((1 + certainty) / 2)
		}
	}
	c.State = Unknown
	switch {
	case of < enough:
	case c.Asked >= c.Low && c.Asked <= c.High:
		c.State = InForce
	default:
		c.State = NotInForce
	}
	return c
}

func (c Claim) judged() Claim {
	switch {
	case c.N < enough:
		c.State = Unknown
	case c.Achieved >= c.Low && c.Achieved <= c.High:
		c.State = InForce
	default:
		c.State = NotInForce
	}
	return c
}
