package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

const (
	lossShare = 0.05
	lossTime  = 3 * time.Second
	bulkSize  = 32 << 10
)

// lossTalks are the kinds of traffic of the scenario: much at once; and messages that come so fast that the next ones tell TCP of a loss,
// or so slowly that a timer must.
var lossTalks = []struct {
	name string
	spec load.Spec
}{
	{"bulk", load.Spec{Protocol: load.TCP, Connections: 4, Size: bulkSize, Closed: true}},
	{"a message each 10 ms", load.Spec{Protocol: load.TCP, Connections: 5, Rate: 500}},
	{"a message each 500 ms", load.Spec{Protocol: load.TCP, Connections: 150, Rate: 300}},
	{"a message each 10 ms", load.Spec{Protocol: load.UDP, Connections: 5, Rate: 500, GiveUp: time.Second}},
}

var _ = register(func(Params) engine.Scenario {
	steps := []engine.Step{{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
		return w.Fleet.AddPolicies(ctx, []workloads.Policy{loadGuard(w)})
	}}}
	for _, share := range []float64{0, lossShare} {
		steps = append(steps, engine.Step{Name: lossName(share), Do: func(ctx context.Context, w *engine.World) error { return talkLossy(ctx, w, share) }})
	}
	return engine.Scenario{
		Name: "lossy path",
		Doc: "A rule with the match statistic loses 5 % of what reaches a server, by each protocol. By UDP exactly what the rule dropped is lost; by TCP nothing is, but" +
			" it is late: what was lost waits for a timer, and what follows waits for it.",
		Labels:   []engine.Label{Traffic, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: steps,
	}
})

func lossName(share float64) string { return fmt.Sprintf("%g %% lost", 100*share) }

// talkLossy has the clients of the stage's first namespace talk to its server, one kind of traffic after the other, while a share is lost.
func talkLossy(ctx context.Context, w *engine.World, share float64) error {
	lossy := effects.Of(w).Lossy
	if lossy == nil {
		return effects.ErrNoLoss
	}
	s, here, far := onStage(w, 0, server), onStage(w, 0, localClient), onStage(w, 0, remoteClient)
	for _, t := range lossTalks {
		flows := []effects.Flow{loadFlow(w, here, s, 0, t.spec.Protocol), loadFlow(w, far, s, 0, t.spec.Protocol)}
		losing, err := lossy.Lose(s.Key, t.spec.Protocol, effects.LoadPort, share)
		if err != nil {
			return err
		}
		t.spec.Duration, t.spec.GiveUp = lossTime, cmp.Or(t.spec.GiveUp, 5*time.Second)
		reports, err := effects.Carry(ctx, w, []effects.Carrying{{Name: t.name + ", " + lossName(share), Flows: flows, Spec: t.spec}}, func(context.Context) error { return nil })
		losses, endErr := losing.End()
		if err = errors.Join(err, endErr); err != nil {
			return err
		}
		measureLossy(w, t.name, share, reports[0], losses)
		w.Note(losses.Finding(fmt.Sprintf("%s by %s, to the server", t.name, t.spec.Protocol), share))
		if err := judgeLossy(t.name+", "+lossName(share), reports[0], losses); err != nil {
			return err
		}
	}
	return nil
}

// judgeLossy wants UDP to lose what the rule dropped and no more, and TCP to lose nothing.
func judgeLossy(name string, r load.Report, losses effects.Losses) error {
	name = fmt.Sprintf("%s by %s", name, r.Spec.Protocol)
	if r.Spec.Protocol == load.UDP {
		if r.Count.There.Lost != losses.Lost || r.Count.Back.Lost > 0 {
			return broken("%s: %d messages lost there and %d back; the rule dropped %d", name, r.Count.There.Lost, r.Count.Back.Lost, losses.Lost)
		}
		return nil
	}
	if again := retransmits(r); again == 0 && losses.Lost > 0 {
		return broken("%s: %d packets were dropped, and TCP says that it sent nothing again", name, losses.Lost)
	}
	return effects.Within(name, load.Budget{Lost: new(uint64), Failed: new(int)}, r)
}

func retransmits(r load.Report) (n uint64) {
	for _, c := range r.Connections {
		n += uint64(c.Retransmits)
	}
	return n
}

// measureLossy records what the loss did, by TCP's own numbers as well.
func measureLossy(w *engine.World, name string, share float64, r load.Report, losses effects.Losses) {
	labels := []metrics.Label{{Name: "traffic", Value: name}, {Name: "protocol", Value: string(r.Spec.Protocol)}, {Name: "loss", Value: lossName(share)}}
	record := func(name, doc string, unit metrics.Unit, samples ...float64) {
		m := metrics.Measurement{Name: name, Doc: doc, Unit: unit, Labels: labels}
		for _, v := range samples {
			m.Samples = append(m.Samples, metrics.Sample{At: r.Began, Value: v})
		}
		w.Measure(m)
	}
	percent := metrics.Unit("%")
	record("packets dropped", "By the rule, of those that it saw: messages, and TCP's packets without one.", percent, 100*float64(losses.Lost)/float64(max(losses.Seen, 1)))
	if !r.Spec.Closed {
		record("messages late", "Of those sent, those whose answers took more than 100 ms. A message that is lost may be late, and so may those be that wait behind it in"+
			" TCP's order.", percent, 100*float64(r.Count.Late)/float64(max(r.Count.Sent, 1)))
	}
	if r.Spec.Closed {
		record("throughput", "Messages that were answered, by their size.", metrics.Unit("MB/s"), float64(r.Count.Back.Arrived)*float64(r.Spec.Size)/r.Took.Seconds()/1e6)
	}
	if r.Spec.Protocol == load.UDP {
		return
	}
	record("sent again", "Segments that TCP sent again, for a thousand messages.", metrics.Count, 1000*float64(retransmits(r))/float64(max(r.Count.Sent, 1)))
	var timeouts, doubled []float64
	for _, c := range r.Connections {
		timeouts, doubled = append(timeouts, c.Timeout.Seconds()), append(doubled, float64(c.Doubled))
	}
	record("retransmission timeout", "The longest of each connection, as TCP_INFO said while an answer was late and at the end: at least 200 ms, and twice as long each time"+
		" that what was sent again is lost as well.", metrics.Seconds, timeouts...)
	record("timeouts doubled", "How often at most the timeout of each connection was doubled.", metrics.Count, doubled...)
}
