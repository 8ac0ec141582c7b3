package effects

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
)

// Impairer makes links of the node's pods worse.
type Impairer interface {
	// Impair puts an impairment in force, in the place of what has its name on the pod's link.
	Impair(Impairment) error
	// Mend ends the impairment of that name on a pod's link.
	Mend(pod workloads.Key, name string) error
	// Impaired says what is in force.
	Impaired() ([]Impaired, error)
}

// Impairment is what becomes of some packets of a local pod's link.
type Impairment struct {
	Pod      workloads.Key
	Name     string
	In       bool            // what the pod receives; else what it sends
	Protocol corev1.Protocol // empty: any
	// Local and Remote are the ends of the connections that are meant, as the pod sees them. What is zero may be anything.
	Local, Remote netip.AddrPort
	Quality
	Seed uint64 // of all chance
}

// Quality is how bad a path is. The zero Quality changes nothing.
type Quality struct {
	Delay       time.Duration `json:"delay,omitzero"`
	Jitter      time.Duration `json:"jitter,omitzero"`      // how far delays are from the mean
	Loss        float64       `json:"loss,omitzero"`        // share of packets, as the shares below
	Duplication float64       `json:"duplication,omitzero"` // sent twice
	Reordering  float64       `json:"reordering,omitzero"`  // not delayed
	Corruption  float64       `json:"corruption,omitzero"`  // with one bit flipped
	Rate        uint64        `json:"rate,omitzero"`        // bits a second; 0: as fast as it goes
}

// Impaired is an impairment in force, with the proof of what it did.
type Impaired struct {
	Impairment
	Packets uint64 // that matched
	Lost    uint64 // of them, by order
	Proof   []Claim
}

// Claim is one property of an impairment: what was asked and what was achieved, in seconds, bits a second or as a share.
type Claim struct {
	Property string  `json:"property"`
	Asked    float64 `json:"asked"`
	Achieved float64 `json:"achieved"`
	Low      float64 `json:"low"` // Low to High counts as what was asked
	High     float64 `json:"high"`
	N        uint64  `json:"n"`     // packets that it rests on
	State    string  `json:"state"` // "in force", "not in force" or "unknown"
}

// InForce is the state of a claim that is borne out.
const InForce = "in force"

// Check says what is wrong with the quality that is asked for, all at once.
func (q Quality) Check() error {
	var errs []error
	if q.Delay < 0 || q.Jitter < 0 || q.Delay > time.Minute || q.Jitter > time.Minute {
		errs = append(errs, fmt.Errorf("delay %v, jitter %v: want 0 to %v", q.Delay, q.Jitter, time.Minute))
	}
	if q.Reordering > 0 && q.Delay == 0 {
		errs = append(errs, errors.New("reordering needs a delay: a packet overtakes those that are delayed"))
	}
	for _, s := range []struct {
		name  string
		share float64
	}{{"loss", q.Loss}, {"duplication", q.Duplication}, {"reordering", q.Reordering}, {"corruption", q.Corruption}} {
		if !(s.share >= 0 && s.share <= 1) {
			errs = append(errs, fmt.Errorf("%s of %g %%: want 0 to 100", s.name, 100*s.share))
		}
	}
	return errors.Join(errs...)
}

// String says the quality in words.
func (q Quality) String() string {
	var words []string
	say := func(is bool, format string, args ...any) {
		if is {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	say(q.Delay > 0, "%v delay", q.Delay)
	say(q.Jitter > 0, "±%v", q.Jitter)
	say(q.Loss > 0, "%g %% loss", 100*q.Loss)
	say(q.Duplication > 0, "%g %% duplicated", 100*q.Duplication)
	say(q.Reordering > 0, "%g %% reordered", 100*q.Reordering)
	say(q.Corruption > 0, "%g %% corrupted", 100*q.Corruption)
	say(q.Rate > 0, "%g Mbit/s", float64(q.Rate)/1e6)
	if len(words) == 0 {
		return "nothing, but count"
	}
	return strings.Join(words, ", ")
}
