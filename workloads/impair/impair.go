//go:build linux

// Package impair makes a link worse: it delays, loses, duplicates, reorders, corrupts and slows down packets of a pod's
// interface, all of them or those that a filter matches, and proves what it did.
//
// It owns what it attaches to that interface: eBPF programs on tcx, which classify, lose and count, and for each
// impairment that holds packets back a detour, which is a device of its own in the pod's namespace. Where the kernel has
// netem, the detour leads through it, elsewhere through a thread of this process. All but the device of a netem detour
// goes with the process, however that ends; such a device then gets no packet, and the next Open removes it. It does not
// touch routes, rules or qdiscs that are there. It needs root and Linux 6.6. A Link is safe for concurrent use.
package impair

import (
	"errors"
	"fmt"
	"time"
)

// Direction is that of packets, as the pod sees it.
type Direction string

// The directions. The zero Direction means Out.
const (
	Out Direction = "out" // what the pod sends
	In  Direction = "in"  // what it receives
)

// Impairment is what is asked for: what becomes of the packets that go in a direction and match a filter. A packet that
// matches several impairments of a link meets the one that was set first.
type Impairment struct {
	Name      string    `json:"name"`
	Direction Direction `json:"direction"`
	Filter    Filter    `json:"filter,omitzero"`
	Quality
}

// Quality is how bad a path is. The zero Quality changes nothing and counts packets.
type Quality struct {
	Delay        time.Duration `json:"delay,omitzero"`        // in JSON nanoseconds, as all durations
	Jitter       time.Duration `json:"jitter,omitzero"`       // how far the delay is from its mean; see Distribution
	Distribution Distribution  `json:"distribution,omitzero"` // of the jitter; empty: Uniform
	Correlation  float64       `json:"correlation,omitzero"`  // of a packet's jitter with that of the one before, 0 to 1

	Loss        Loss   `json:"loss,omitzero"`
	Duplication Chance `json:"duplication,omitzero"` // a packet is sent twice
	Reordering  Chance `json:"reordering,omitzero"`  // a packet is not delayed, so that it overtakes those that are
	Corruption  Chance `json:"corruption,omitzero"`  // one bit behind the Ethernet header is flipped

	Rate  uint64 `json:"rate,omitzero"`  // bits a second, with Ethernet headers; 0: as fast as it goes
	Limit int    `json:"limit,omitzero"` // packets held back at most, more are dropped; 0: DefaultLimit
	Seed  uint64 `json:"seed,omitzero"`  // of all chance; one seed makes the same packets, by their number, lost
}

// DefaultLimit is how many packets an impairment holds back at most unless it says otherwise.
const DefaultLimit = 10_000

// Chance is what happens to some packets: a share of them, and those that are numbered. Packets are numbered from 0, in
// the order in which they matched since the impairment was set.
type Chance struct {
	Share       float64  `json:"share,omitzero"`       // 0 to 1
	Correlation float64  `json:"correlation,omitzero"` // with whether it happened to the packet before, 0 to 1, as netem has it
	Packets     []uint64 `json:"packets,omitempty"`
}

func (c Chance) none() bool { return c.Share == 0 && len(c.Packets) == 0 }

// held reports whether packets leave the path, so that a detour is needed.
func (q Quality) held() bool {
	return q.Delay > 0 || q.Jitter > 0 || q.Rate > 0 || !q.Duplication.none() || !q.Reordering.none() || !q.Corruption.none()
}

// whole reports whether each packet must be handled as it is on the wire, and not as a train of segments that the
// kernel handles at once.
func (q Quality) whole() bool {
	return q.Rate > 0 || !q.Duplication.none() || !q.Reordering.none() || !q.Corruption.none()
}

// Longest is how long a packet is held at most, but for what waits for the rate.
func (q Quality) Longest() time.Duration { return q.Delay + tail*q.Jitter }

func (q Quality) limit() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return q.Limit
}

// Check says what is wrong with the impairment, all at once.
func (i Impairment) Check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if i.Name == "" {
		wrong("an impairment needs a name")
	}
	if i.Direction != Out && i.Direction != In {
		wrong("direction %q: must be %s or %s", i.Direction, Out, In)
	}
	if i.Delay < 0 || i.Jitter < 0 {
		wrong("delay %v, jitter %v: must not be negative", i.Delay, i.Jitter)
	}
	if i.Distribution.quantile() == nil {
		wrong("distribution %q: must be %s, %s or %s", i.Distribution, Uniform, Normal, Pareto)
	}
	if i.Limit < 0 || i.Limit > room {
		wrong("limit %d: must be between 0 and %d", i.Limit, room)
	}
	for _, s := range []struct {
		name  string
		value float64
	}{
		{"correlation", i.Correlation}, {"duplication", i.Duplication.Share}, {"correlation of duplication", i.Duplication.Correlation},
		{"reordering", i.Reordering.Share}, {"correlation of reordering", i.Reordering.Correlation},
		{"corruption", i.Corruption.Share}, {"correlation of corruption", i.Corruption.Correlation},
	} {
		if !isShare(s.value) {
			wrong("%s %g: must be between 0 and 1", s.name, s.value)
		}
	}
	if !i.Reordering.none() && i.Delay == 0 {
		wrong("reordering needs a delay: a packet overtakes those that are delayed")
	}
	return errors.Join(append(errs, i.Loss.check(), i.Filter.check())...)
}

func isShare(v float64) bool { return v >= 0 && v <= 1 }
