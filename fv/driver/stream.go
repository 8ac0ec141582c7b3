package driver

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/traffic"
)

// Start begins to send on a flow.
func (w *Wire) Start(f effects.Flow, interval time.Duration) error {
	if err := w.bothReady(f); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sends(); err != nil {
		return err
	}
	return w.stream.Open(onWire(f), f, interval) // remote pods that have one address after the other have one flow
}

// sends makes the stream if there is none yet. The lock is held.
func (w *Wire) sends() (err error) {
	if w.stream == nil {
		w.stream, err = w.prober.Stream(effects.CertainAfter)
	}
	return err
}

// Drain waits until what became of each packet is certain.
func (w *Wire) Drain() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		return nil
	}
	return w.stream.Drain()
}

// Converse establishes flows and lets both ends talk.
func (w *Wire) Converse(ctx context.Context, flows []effects.Flow, interval time.Duration) (effects.Conversation, error) {
	var established []traffic.Flow
	for _, f := range flows {
		if err := w.bothReady(f); err != nil {
			return nil, err
		}
		established = append(established, onWire(f))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sends(); err != nil {
		return nil, err
	}
	talk, err := w.stream.Converse(ctx, established, interval)
	if err != nil {
		return nil, err
	}
	return conversation{talk, flows}, nil
}

// conversation is one on flows, in their order.
type conversation struct {
	*traffic.Conversation
	flows []effects.Flow
}

func (c conversation) End() map[effects.Flow][]effects.Observation {
	seen := map[effects.Flow][]effects.Observation{}
	for i, said := range c.Conversation.End() {
		f := c.flows[i]
		for _, d := range said {
			seen[f] = append(seen[f], effects.Observation{Flow: f, Sent: d.Sent, Gone: d.Gone, Arrived: !d.Received.IsZero()})
		}
	}
	return seen
}

// Stop ends a flow.
func (w *Wire) Stop(f effects.Flow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream != nil {
		w.stream.Close(onWire(f))
	}
}

// Observe returns what became of the packets of which that is certain.
func (w *Wire) Observe() []effects.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		return nil
	}
	var seen []effects.Observation
	for _, d := range w.stream.Take() {
		if d.Err == nil { // else it never was on its way: an end of it goes
			if o := observed(d); !w.excused(o) {
				seen = append(seen, o)
			}
		}
	}
	return seen
}

// observed is what became of a packet of a stream. A datagram may wait in the kernel after the call that sent it has returned, so one that arrived
// was on its way until then.
func observed(d traffic.Datagram) effects.Observation {
	o := effects.Observation{Flow: d.Tag.(effects.Flow), Sent: d.Sent, Gone: d.Gone, Arrived: !d.Received.IsZero()}
	if o.Flow.Protocol == corev1.ProtocolUDP && d.Received.After(d.Gone) {
		o.Gone = d.Received
	}
	return o
}
