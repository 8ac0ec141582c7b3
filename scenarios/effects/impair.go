package effects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
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
	Node    NodeLink // the link, if it is none of a pod's
	Packets uint64   // that matched
	Lost    uint64   // of them, by order
	Proof   []metrics.Claim
}

// NodeLink is a link of the node's own; empty: it is a pod's.
type NodeLink string

// The links of the node.
const (
	ToNodes NodeLink = "the node's link to other nodes"
	ToLAN   NodeLink = "the node's link to the API server"
)

// Told is the impairment as the record has it.
func (i Impaired) Told() report.Impaired {
	return report.Impaired{What: i.String(), Packets: i.Packets, Lost: i.Lost, Claims: i.Proof}
}

// ErrNoImpairer is what comes of an order to impair in a world where no link can be.
var ErrNoImpairer = errors.New("no link can be impaired here")

// Amid does it while links are impaired, and returns what that did, in the order of the impairments. It is recorded; where it was not in force,
// the scenario is inconclusive, whatever else is found. An impairment without a name gets one, and one without a seed draws it.
func Amid(ctx context.Context, w *engine.World, all []Impairment, do func(context.Context) error) (met []Impaired, err error) {
	impairer := Of(w).Impairer
	if impairer == nil {
		return nil, ErrNoImpairer
	}
	for n, i := range all {
		i.Name, i.Seed = cmp.Or(i.Name, fmt.Sprintf("amid-%d", n+1)), cmp.Or(i.Seed, w.Rand.Uint64())
		if err := impairer.Impair(i); err != nil {
			return nil, fmt.Errorf("impair %s: %w", i, err)
		}
		defer func() { err = errors.Join(err, impairer.Mend(i.Pod, i.Name)) }()
		met = append(met, Impaired{Impairment: i})
	}
	err = do(ctx)
	now, lookErr := impairer.Impaired()
	if lookErr != nil {
		return met, errors.Join(err, lookErr)
	}
	for n := range met {
		for _, is := range now {
			if is.Node == "" && is.Pod == met[n].Pod && is.Name == met[n].Name {
				met[n].Packets, met[n].Lost, met[n].Proof = is.Packets, is.Lost, is.Proof
			}
		}
	}
	w.Note(InForce(met))
	return met, err
}

// InForce is what the record has of impairments: those that were not in force make the scenario inconclusive.
func InForce(all []Impaired) report.Finding {
	f := report.Finding{Kind: report.Impairment, Name: "impairment"}
	for _, i := range all {
		f.Impaired = append(f.Impaired, i.Told())
	}
	return f
}

// String says which packets become how.
func (i Impairment) String() string {
	which, way := "sent by ", " to "
	if i.In {
		which, way = "received by ", " from "
	}
	which += i.Pod.String()
	if i.Local.Port() > 0 {
		which += fmt.Sprintf(" at port %d", i.Local.Port())
	}
	if i.Remote != (netip.AddrPort{}) {
		which += way + i.Remote.String()
	}
	if i.Protocol != "" {
		which += " by " + string(i.Protocol)
	}
	return which + ": " + i.Quality.String()
}

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
