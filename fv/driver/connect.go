package driver

import (
	"context"
	"errors"
	"os"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// Connect tries all flows.
func (w *Wire) Connect(ctx context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	outcomes := effects.Outcomes{}
	var tried, far []effects.Flow
	var probes []traffic.Flow
	paths := map[effects.Flow]path{}
	for _, f := range flows {
		err := w.bothReady(f)
		if errors.Is(err, os.ErrNotExist) {
			outcomes[f] = effects.Outcome{Kind: effects.Unplugged}
			continue
		}
		if err != nil {
			return nil, err
		}
		way, impaired, err := w.pathOf(f)
		if err != nil {
			return nil, err
		}
		if impaired {
			far, paths[f] = append(far, f), way
			continue
		}
		tried, probes = append(tried, f), append(probes, onWire(f))
	}
	for i, r := range w.prober.Probe(ctx, probes) {
		outcomes[tried[i]] = outcome(tried[i], r)
	}
	w.connectFar(ctx, far, paths, outcomes)
	return outcomes, errors.Join(context.Cause(ctx), w.prober.Err())
}

// onWire is the flow as the prober knows it.
func onWire(f effects.Flow) traffic.Flow {
	flow := traffic.Flow{From: f.From.Key, To: f.To.Addr, Port: f.Port, Protocol: f.Protocol}
	if f.From.Remote {
		flow.From, flow.Source = uplink.Pod, f.From.Addr
	}
	return flow
}

func outcome(f effects.Flow, r traffic.Result) effects.Outcome {
	switch {
	case r.Err == nil && r.SourceSeen == f.From.Addr:
		return effects.Outcome{Kind: effects.Connected}
	case r.Err == nil:
		return effects.Outcome{Kind: effects.ConnectedFrom, Seen: r.SourceSeen.String()}
	case errors.Is(r.Err, traffic.ErrDropped):
		return effects.Outcome{Kind: effects.Dropped}
	case errors.Is(r.Err, traffic.ErrLate):
		return effects.Outcome{Kind: effects.PassedLate}
	case errors.Is(r.Err, traffic.ErrRefused):
		return effects.Outcome{Kind: effects.Refused}
	case errors.Is(r.Err, os.ErrNotExist):
		return effects.Outcome{Kind: effects.Unplugged}
	}
	return effects.Outcome{Kind: effects.Failed, Seen: r.Err.Error()}
}

// bothReady makes the ends of a flow real, and lets the one that is called listen on its port.
func (w *Wire) bothReady(f effects.Flow) error {
	return errors.Join(w.Ready(f.From), w.Ready(f.To, f.Port))
}
