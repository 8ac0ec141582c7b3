//go:build linux

package impair

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Loss says which packets are lost; at most one model may be set. A model is drawn for Period packets in advance, and
// begins anew after them. The packets of Packets are lost once.
type Loss struct {
	Chance                         // each packet by chance
	GilbertElliott *GilbertElliott `json:"gilbertElliott,omitempty"`
	FourState      *FourState      `json:"fourState,omitempty"`
}

// Period is the number of packets for which losses are drawn.
const Period = 1 << 20

// GilbertElliott loses packets in bursts: the path is good or bad, and goes from one to the other by chance.
type GilbertElliott struct {
	ToBad    float64 `json:"toBad"`    // chance that a good path turns bad with a packet (p)
	ToGood   float64 `json:"toGood"`   // chance that a bad one turns good (r)
	LostBad  float64 `json:"lostBad"`  // share lost on a bad path (1-h)
	LostGood float64 `json:"lostGood"` // share lost on a good one (1-k)
}

// FourState is netem's four-state Markov model: 1 received in a gap, 2 received in a burst, 3 lost in a burst, 4 lost
// alone.
type FourState struct {
	P13 float64 `json:"p13"`
	P31 float64 `json:"p31"`
	P32 float64 `json:"p32"`
	P23 float64 `json:"p23"`
	P14 float64 `json:"p14"`
}

func (l Loss) none() bool { return l.Chance.none() && l.GilbertElliott == nil && l.FourState == nil }

func (l Loss) check() error {
	models, shares := 0, []float64{l.Share, l.Correlation}
	if !l.Chance.none() {
		models++
	}
	if g := l.GilbertElliott; g != nil {
		models++
		shares = append(shares, g.ToBad, g.ToGood, g.LostBad, g.LostGood)
	}
	if f := l.FourState; f != nil {
		models++
		shares = append(shares, f.P13, f.P31, f.P32, f.P23, f.P14, f.P13+f.P14, f.P31+f.P32)
	}
	if models > 1 {
		return errors.New("loss: more than one model is set")
	}
	if len(l.Packets) > 0 && l.Share > 0 {
		return errors.New("loss: either a share or packets by their number")
	}
	for _, s := range shares {
		if !isShare(s) {
			return fmt.Errorf("loss: %g is no share: must be between 0 and 1", s)
		}
	}
	for _, n := range l.Packets {
		if n >= Period {
			return fmt.Errorf("loss of packet %d: only the first %d can be lost by their number", n, Period)
		}
	}
	return nil
}

// once reports whether the losses don't come again after Period packets.
func (l Loss) once() bool { return len(l.Packets) > 0 }

// schedule is a bit for each packet: whether it is lost.
type schedule []uint64

// schedule draws the losses; nil if there are none.
func (l Loss) schedule(seed uint64) schedule {
	if l.none() {
		return nil
	}
	s, lost := make(schedule, Period/64), l.model(rand.New(rand.NewPCG(seed, 'l')))
	for n := range uint64(Period) {
		if lost() {
			s[n/64] |= 1 << (n % 64)
		}
	}
	for _, n := range l.Packets {
		s[n/64] |= 1 << (n % 64)
	}
	return s
}

// of returns how many of the first packets are lost; once as in Loss.
func (s schedule) of(packets uint64, once bool) (lost uint64) {
	if once {
		packets = min(packets, Period)
	}
	if whole := packets / Period; whole > 0 && len(s) > 0 {
		lost = whole * s.of(Period-1, true)
		lost += whole * (s[len(s)-1] >> 63)
	}
	rest := packets % Period
	for i := uint64(0); i < rest && len(s) > 0; i += 64 {
		word := s[i/64]
		if left := rest - i; left < 64 {
			word &= 1<<left - 1
		}
		lost += uint64(bits.OnesCount64(word))
	}
	return lost
}

// model returns what says of one packet after the other whether it is lost.
func (l Loss) model(r *rand.Rand) func() bool {
	switch {
	case l.GilbertElliott != nil:
		return l.GilbertElliott.model(r)
	case l.FourState != nil:
		return l.FourState.model(r)
	}
	return l.Chance.model(r)
}

// model draws whether it happens, without the packets that are numbered.
func (c Chance) model(r *rand.Rand) func() bool {
	draw := correlated(r, c.Correlation)
	return func() bool { return draw() < c.Share }
}

// correlated draws from 0 to 1; as in netem, each draw leans towards the one before.
func correlated(r *rand.Rand, correlation float64) func() float64 {
	last := r.Float64()
	return func() float64 {
		last = correlation*last + (1-correlation)*r.Float64()
		return last
	}
}

func (g GilbertElliott) model(r *rand.Rand) func() bool {
	bad := false
	return func() bool {
		change, lost := g.ToBad, g.LostGood
		if bad {
			change, lost = g.ToGood, g.LostBad
		}
		if r.Float64() < change {
			bad = !bad
		}
		return r.Float64() < lost
	}
}

func (f FourState) model(r *rand.Rand) func() bool {
	state := 1
	return func() bool {
		switch u := r.Float64(); {
		case state == 4, state == 3 && u >= f.P32 && u < f.P32+f.P31:
			state = 1
		case state == 1 && u < f.P14:
			state = 4
		case state == 1 && u < f.P14+f.P13, state == 2 && u < f.P23:
			state = 3
		case state == 3 && u < f.P32:
			state = 2
		}
		return state >= 3
	}
}
