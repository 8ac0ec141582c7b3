package driver

import (
	"context"
	"errors"
	"os"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// unplugged is the outcome of a flow one of whose pods has no veth, or not yet, or no more.
const unplugged = engine.Outcome("not plugged")

// passedLate is the outcome of a flow that is dropped now, and was judged to be before, too early.
const passedLate = engine.Outcome("passed after it was judged dropped")

// Connect tries all flows.
func (w *Wire) Connect(ctx context.Context, flows []engine.Flow) (map[engine.Flow]engine.Outcome, error) {
	outcomes := map[engine.Flow]engine.Outcome{}
	var tried []engine.Flow
	var probes []traffic.Flow
	for _, f := range flows {
		err := w.bothReady(f)
		if errors.Is(err, os.ErrNotExist) {
			outcomes[f] = unplugged
			continue
		}
		if err != nil {
			return nil, err
		}
		tried, probes = append(tried, f), append(probes, onWire(f))
	}
	for i, r := range w.prober.Probe(ctx, probes) {
		outcomes[tried[i]] = outcome(tried[i], r)
	}
	return outcomes, errors.Join(context.Cause(ctx), w.prober.Err())
}

// onWire is the flow as the prober knows it.
func onWire(f engine.Flow) traffic.Flow {
	flow := traffic.Flow{From: f.From.Key, To: f.To.Addr, Port: f.Port, Protocol: f.Protocol}
	if f.From.Remote {
		flow.From, flow.Source = uplink.Pod, f.From.Addr
	}
	return flow
}

func outcome(f engine.Flow, r traffic.Result) engine.Outcome {
	switch {
	case r.Err == nil && r.SourceSeen == f.From.Addr:
		return engine.Connected
	case r.Err == nil:
		return engine.Outcome("connected from " + r.SourceSeen.String())
	case errors.Is(r.Err, traffic.ErrDropped):
		return engine.Dropped
	case errors.Is(r.Err, traffic.ErrLate):
		return passedLate
	case errors.Is(r.Err, traffic.ErrRefused):
		return engine.Refused
	case errors.Is(r.Err, os.ErrNotExist):
		return unplugged
	}
	return engine.Outcome(r.Err.Error())
}

// bothReady makes the ends of a flow real, and lets the one that is called listen on its port.
func (w *Wire) bothReady(f engine.Flow) error {
	return errors.Join(w.Ready(f.From), w.Ready(f.To, f.Port))
}
