package metrics

import (
	"fmt"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Claim is one property of what was done on purpose, such as the loss of a link: what was asked, what was achieved, and within which bounds
// that counts as the same. The unit is seconds for delay and jitter, bits a second for the rate, else a share from 0 to 1.
type Claim struct {
	Property string     `json:"property"` // delay, jitter, loss, duplication, reordering, corruption or rate
	Asked    float64    `json:"asked"`    // in the property's unit
	Achieved float64    `json:"achieved"` // see Asked
	Low      float64    `json:"low"`      // Low to High counts as what was asked
	High     float64    `json:"high"`     // see Low
	N        uint64     `json:"n"`        // packets that it rests on
	State    ClaimState `json:"state"`    // "in force", "not in force" or "unknown": too few packets, or none that would show it
}

// ClaimState is whether what was asked was in force.
type ClaimState string

// The states of a claim.
const (
	InForce    ClaimState = "in force"
	NotInForce ClaimState = "not in force"
	Unproved   ClaimState = "unknown" // too few packets, or none that would show it
)

const (
	enough = 20 // packets that a claim needs
	// certainty is how sure the bounds of a share are: one right claim in a thousand is outside.
	certainty = 0.999
)

// ClaimShare compares how many of some packets it was to happen to with how many it did, within the binomial interval (Clopper and Pearson,
// 99.9 %) of what happened. Where it was to happen to all, it must have.
func ClaimShare(property string, expected float64, happened, of uint64) Claim {
	return ClaimBursts(property, expected, happened, of, 1)
}

// ClaimBursts is ClaimShare for what happens in bursts, so that its number varies more by a factor than if it happened to each for itself: the
// interval is as wide as that of so many times less.
func ClaimBursts(property string, expected float64, happened, of uint64, factor float64) Claim {
	c := Claim{Property: property, N: of, High: 1}
	n, k := float64(of)/factor, float64(happened)/factor
	if of > 0 {
		c.Asked, c.Achieved = expected/float64(of), k/n
		if k > 0 {
			c.Low = distuv.Beta{Alpha: k, Beta: n - k + 1}.Quantile((1 - certainty) / 2)
		}
		if happened < of {
			c.High = distuv.Beta{Alpha: k + 1, Beta: n - k}.Quantile((1 + certainty) / 2)
		}
	}
	if of > 0 && expected >= float64(of) { // all: one that it did not happen to disproves it, and few that it did prove it
		c.Low, c.High, c.State = 1, 1, NotInForce
		if happened == of {
			c.State = InForce
		}
		return c
	}
	if n < enough {
		c.State = Unproved
		return c
	}
	return c.judged(c.Asked)
}

// Judged is the claim with the state that follows from what was achieved.
func (c Claim) Judged() Claim { return c.judged(c.Achieved) }

func (c Claim) judged(v float64) Claim {
	switch {
	case c.N < enough:
		c.State = Unproved
	case v >= c.Low && v <= c.High:
		c.State = InForce
	default:
		c.State = NotInForce
	}
	return c
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
	if c.State == Unproved {
		return fmt.Sprintf("%s: asked %s, achieved unknown (n %d)", c.Property, show(c.Asked), c.N)
	}
	return fmt.Sprintf("%s: asked %s, achieved %s (%s to %s, n %d): %s", c.Property, show(c.Asked), show(c.Achieved), show(c.Low), show(c.High), c.N, c.State)
}
