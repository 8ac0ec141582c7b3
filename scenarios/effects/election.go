package effects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Timings are those of a leader election of client-go.
type Timings struct {
	Lease time.Duration // for so long after a leader's last sign others leave it alone
	Renew time.Duration // after so long without a renewal a leader gives up
	Retry time.Duration // between attempts
}

// String tells them in their usual order.
func (t Timings) String() string { return fmt.Sprintf("%v/%v/%v", t.Lease, t.Renew, t.Retry) }

// Elections holds leader elections of client-go in the API server, between candidates whose ways there can be made worse one by one.
type Elections interface {
	// Hold begins an election that goes on until it is ended. A leader that gives up is a new candidate at once, as one whose program is
	// started again.
	Hold(ctx context.Context, t Timings, candidates int) (Election, error)
}

// Election is one under way. Candidates are numbered from 0.
type Election interface {
	Worsen(candidate int, worse Worse) error
	Met(candidate int) ([]Met, error)
	Leader() (candidate int, any bool)
	End() ([]Tenure, error) // once; nothing of it is left then
}

// Tenure is a time in which a candidate took itself for the leader.
type Tenure struct {
	Candidate int
	From, To  time.Time
}

// ErrNoElections is what a world has where no elections can be held.
var ErrNoElections = errors.New("no leader elections can be held here")

// Reign is what became of an election.
type Reign struct {
	Changes int           // of the leader, after the first
	Without time.Duration // a leader, after the first one came
	Two     time.Duration // leaders at once
}

// ReignOf reads it from the tenures of an election that ended at a time.
func ReignOf(tenures []Tenure, ended time.Time) (r Reign) {
	tenures = slices.SortedFunc(slices.Values(tenures), func(a, b Tenure) int { return a.From.Compare(b.From) })
	var until time.Time // when the last of those so far ended
	for i, t := range tenures {
		if i == 0 {
			until = t.To
			continue
		}
		if t.Candidate != tenures[i-1].Candidate || t.From.After(tenures[i-1].To) {
			r.Changes++
		}
		if gap := t.From.Sub(until); gap > 0 {
			r.Without += gap
		} else {
			r.Two += min(until.Sub(t.From), t.To.Sub(t.From))
		}
		if t.To.After(until) {
			until = t.To
		}
	}
	if len(tenures) > 0 && ended.After(until) {
		r.Without += ended.Sub(until)
	}
	return r
}

// Measure records it.
func (r Reign) Measure(w *engine.World, t Timings, worse string, begun time.Time) {
	labels := []metrics.Label{{Name: "lease/renew/retry", Value: t.String()}, {Name: "way", Value: worse}}
	for _, m := range []metrics.Measurement{
		{Name: "leadership changes", Doc: "How often the leader changed, after the first had come.", Samples: []metrics.Sample{{At: begun, Value: float64(r.Changes)}}},
		{
			Name: "without a leader", Unit: metrics.Seconds, Doc: "For how long nobody took itself for the leader, after the first had come.",
			Samples: []metrics.Sample{{At: begun, Value: r.Without.Seconds()}},
		},
		{
			Name: "two leaders", Unit: metrics.Seconds, Doc: "For how long two took themselves for the leader at once.",
			Samples: []metrics.Sample{{At: begun, Value: r.Two.Seconds()}},
		},
	} {
		m.Labels = labels
		w.Measure(m)
	}
}
