package effects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Worse is how bad the agent's way to the API server is made, each way. The zero Worse changes nothing and counts.
type Worse struct {
	Delay time.Duration
	Loss  float64 // share of packets; 1: the way is cut
	Only  Heading // the one that suffers; empty: both
	Seed  uint64  // of the losses
}

// Heading is where packets on the agent's way to the API server go.
type Heading string

// The headings.
const (
	ToAPI   Heading = "to the API server"
	FromAPI Heading = "from the API server"
)

// String tells it in words that measurements have as a label.
func (w Worse) String() string {
	var said []string
	if w.Delay > 0 {
		said = append(said, w.Delay.String()+" later")
	}
	switch {
	case w.Loss == 1:
		said = append(said, "cut")
	case w.Loss > 0:
		said = append(said, fmt.Sprintf("%g %% lost", w.Loss*100))
	}
	if len(said) == 0 {
		return "as it is"
	}
	if w.Only != "" {
		said = append(said, string(w.Only)+" alone")
	}
	return strings.Join(said, ", ")
}

// suffers reports whether packets with a heading are impaired.
func (w Worse) suffers(h Heading) bool {
	return (w.Delay > 0 || w.Loss > 0) && (w.Only == "" || w.Only == h)
}

// Way is the agent's to the API server, without what the driver itself says there.
type Way interface {
	Worsen(Worse) error  // at once, in the place of what was
	Met() ([]Met, error) // what became of the packets since
	Mend() error         // what is held goes on at once; it is no error if nothing was worse
}

// Met is what became of the packets with a heading.
type Met struct {
	Heading       Heading
	Packets, Lost uint64
	Delay         time.Duration // the median; 0: none was held
	Claims        []metrics.Claim
}

// ErrNoWay is what AmidWorse returns in a world where the agent's way to the API server can't be made worse.
var ErrNoWay = errors.New("the agent's way to the API server can't be made worse here")

// AmidWorse does it while the agent's way to the API server is worse, and records how it was. If that was not so, the scenario is
// inconclusive, whatever else is found.
func AmidWorse(ctx context.Context, w *engine.World, worse Worse, do func(context.Context) error) error {
	return WhileWorse(ctx, w, Of(w).Way, worse, do)
}

// WhileWorse is AmidWorse for whatever SUT, whose way it is given; nil: it can't be made worse.
func WhileWorse(ctx context.Context, w *engine.World, way Way, worse Worse, do func(context.Context) error) (err error) {
	if way == nil {
		return ErrNoWay
	}
	begun := time.Now()
	if err := way.Worsen(worse); err != nil {
		return fmt.Errorf("make the agent's way to the API server worse: %w", err)
	}
	defer func() { err = errors.Join(err, way.Mend()) }()
	err = do(ctx)
	met, metErr := way.Met()
	if metErr != nil {
		return errors.Join(err, metErr)
	}
	for _, m := range met {
		m.measured(w, worse, begun)
	}
	w.Note(worse.Finding("the agent's", met))
	return err
}

// Finding is what the record has of it, that of packets of whoever's way it is. If it was not in force, the scenario is inconclusive.
func (w Worse) Finding(whose string, met []Met) report.Finding {
	f := report.Finding{Kind: report.Impairment, Name: "impairment"}
	// Where nothing is heard any more, nothing may be said.
	silent := w.Loss == 1 && w.Only == "" && slices.ContainsFunc(met, func(m Met) bool { return m.Packets > 0 })
	for _, m := range met {
		if w.suffers(m.Heading) && (!silent || m.Packets > 0) {
			what := fmt.Sprintf("%s packets %s: %s", whose, m.Heading, w)
			f.Impaired = append(f.Impaired, report.Impaired{What: what, Packets: m.Packets, Lost: m.Lost, Claims: m.Claims})
		}
	}
	return f
}

func (m Met) measured(w *engine.World, worse Worse, begun time.Time) {
	labels := []metrics.Label{{Name: "way", Value: worse.String()}, {Name: "packets", Value: string(m.Heading)}}
	w.Measure(metrics.Measurement{
		Name: "packets of the agent", Labels: labels, Doc: "Packets between agent and API server while that way was worse.",
		Samples: []metrics.Sample{{At: begun, Value: float64(m.Packets)}},
	})
	w.Measure(metrics.Measurement{
		Name: "packets of the agent lost", Labels: labels, Doc: "Of them, those that were lost by order.",
		Samples: []metrics.Sample{{At: begun, Value: float64(m.Lost)}},
	})
	if m.Delay > 0 {
		w.Measure(metrics.Measurement{
			Name: "delay of the agent's packets", Unit: metrics.Seconds, Labels: labels, Doc: "The median, as it was achieved.",
			Samples: []metrics.Sample{{At: begun, Value: m.Delay.Seconds()}},
		})
	}
}
