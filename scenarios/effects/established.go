package effects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Converser lets both ends of flows talk.
type Converser interface {
	// Converse establishes flows and sends a message at each interval on each, which the receiver sends back. A flow that can't be
	// established is an error.
	Converse(ctx context.Context, flows []Flow, interval time.Duration) (Conversation, error)
}

// Conversation is messages that go to and fro on established flows. On a busy machine they are fewer than their interval says.
type Conversation interface {
	// Said returns how many messages have been sent, and how many have come back so far, on the flow with the fewest.
	Said() (sent, back int)
	// End ends it and says of each message, in the order in which they were sent, whether it came back. It must be called once.
	End() map[Flow][]Observation
}

// Forbidding is a change by which flows that were allowed no longer are.
type Forbidding struct {
	Operation string // such as "policy added"
	Direction string // that the policies hold for: "in" or "out"
	Flows     []Flow
	Do        func(context.Context) error
}

const (
	// talkInterval is how often a message is sent on an established flow: the resolution of when it was cut.
	talkInterval = 10 * time.Millisecond
	// talkBefore is how long established flows are watched before a change that forbids them, and talkAfter how long once it is in force; both
	// are longer, up to talkBound, where a busy machine has sent too few messages by then.
	talkBefore, talkAfter, talkBound = 200 * time.Millisecond, time.Second, 20 * time.Second
	// silence is how many messages in a row at the end must be without an answer until a flow is held to be cut, and answers how many must
	// have come back before the change.
	silence, answers = 20, 10
)

// ErrNoConversations is what Outlive returns in a world where flows can't be kept talking.
var ErrNoConversations = errors.New("no conversations can be held here")

// Outlive establishes flows that are in force, makes a change that forbids them and, once it is seen to be in force for all flows that begin,
// records of each whether it goes on. That is for nobody to judge: the specification of NetworkPolicy leaves it open.
func Outlive(ctx context.Context, w *engine.World, c Forbidding) error {
	told, err := outlive(ctx, w, c)
	for _, m := range told {
		w.Measure(m)
	}
	return err
}

func outlive(ctx context.Context, w *engine.World, c Forbidding) (told []metrics.Measurement, err error) {
	if Of(w).Converser == nil {
		return nil, ErrNoConversations
	}
	if err := wantVerdicts(w.Fleet.State(), c.Flows, mayPass); err != nil {
		return nil, fmt.Errorf("before %s: %w", c.Operation, err)
	}
	if err := w.Converge(ctx); err != nil {
		return nil, err
	}
	talk, err := Of(w).Converser.Converse(ctx, c.Flows, talkInterval)
	if err != nil {
		return nil, fmt.Errorf("before %s: %w", c.Operation, err)
	}
	end := sync.OnceValue(talk.End)
	defer end() // the change may panic
	at, err := forbid(ctx, w, c, talk)
	said := end()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Operation, err)
	}
	for _, f := range c.Flows {
		m := metrics.Measurement{
			Name: "established flows cut", Unit: metrics.Seconds, Doc: establishedDoc,
			Labels: []metrics.Label{{Name: "operation", Value: c.Operation}, {Name: "protocol", Value: string(f.Protocol)}, {Name: "direction", Value: c.Direction}},
		}
		cut, ok, err := cutAt(at, said[f])
		if err != nil {
			return told, fmt.Errorf("%s: established %s: %w", c.Operation, f, err)
		}
		if ok {
			m.Samples = []metrics.Sample{cut}
		} else {
			m.Without = 1
		}
		told = append(told, m)
	}
	return told, nil
}

// establishedDoc says what the table of established flows means.
const establishedDoc = "What becomes of established flows that a change forbids. No verdict follows: the specification leaves it open." +
	" n says how many were cut; the others went on until the watch ended, a second after new flows were denied." +
	" A value is from the beginning of the API write to the first message without an answer." +
	" In: the policies are of the receiver; out: of the sender."

// Talk establishes flows, lets both ends talk, and does it amid that, once messages have come back on each.
func Talk(ctx context.Context, w *engine.World, flows []Flow, do func(context.Context) error) error {
	if Of(w).Converser == nil {
		return ErrNoConversations
	}
	talk, err := Of(w).Converser.Converse(ctx, flows, talkInterval)
	if err != nil {
		return err
	}
	defer talk.End()
	if err := listen(ctx, talkBefore, answers, func() int { _, back := talk.Said(); return back }); err != nil {
		return fmt.Errorf("messages that came back: %w", err)
	}
	return do(ctx)
}

// forbid makes the change, which began at the time that it returns, and waits until flows that begin are dropped, and on.
func forbid(ctx context.Context, w *engine.World, c Forbidding, talk Conversation) (at time.Time, err error) {
	if err := listen(ctx, talkBefore, answers, func() int { _, back := talk.Said(); return back }); err != nil {
		return at, fmt.Errorf("messages that came back before: %w", err)
	}
	at = time.Now()
	if err := c.Do(ctx); err != nil {
		return at, err
	}
	if err := wantVerdicts(w.Fleet.State(), c.Flows, mayDrop); err != nil {
		return at, err
	}
	if err := w.Converge(ctx); err != nil {
		return at, err
	}
	outcomes, err := Of(w).Connector.Connect(ctx, c.Flows) // of pods that are gone the effects say nothing
	if err != nil {
		return at, err
	}
	for f, o := range outcomes {
		if o.Kind != Dropped && o.Kind != Refused {
			return at, fmt.Errorf("%s, begun anew once it is forbidden: %s", f, o)
		}
	}
	inForce, _ := talk.Said()
	if err := listen(ctx, talkAfter, 2*silence, func() int { sent, _ := talk.Said(); return sent - inForce }); err != nil {
		return at, fmt.Errorf("messages that were sent afterwards: %w", err)
	}
	return at, nil
}

// wantVerdicts wants the model to have one verdict for the flows.
func wantVerdicts(s workloads.State, flows []Flow, want legal) error {
	now := newHistory(s, 0)
	for _, f := range flows {
		if now.verdictsOf(f).at(span{}).legal != want {
			return fmt.Errorf("the model says of %s what the scenario does not", f)
		}
	}
	return nil
}

// cutAt says how long after a time the first message was sent of those that no longer came back; false if messages came back to the end.
func cutAt(at time.Time, said []Observation) (cut metrics.Sample, ok bool, err error) {
	last := -1
	for i, o := range said {
		if o.Arrived {
			last = i
		}
	}
	if len(said)-1-last < silence {
		return cut, false, nil
	}
	sent := said[last+1].Sent
	if sent.Before(at) {
		return cut, false, fmt.Errorf("it was cut %v before the change", at.Sub(sent))
	}
	return metrics.Since(at, sent.Sub(at), sent.Sub(said[last].Sent)), true, nil
}

// listen waits for a time, and then until so many messages have been counted, or talkBound is over.
func listen(ctx context.Context, atLeast time.Duration, want int, count func() int) error {
	begun := time.Now()
	for wait := atLeast; ; wait = 10 * talkInterval {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		got := count()
		if got >= want {
			return nil
		}
		if time.Since(begun) > talkBound {
			return fmt.Errorf("%d within %v, want %d", got, talkBound, want)
		}
	}
}
