package effects

import (
	"cmp"
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// talker is a Converser whose messages come back unless they are lost, which depends on how long after the first they are sent.
type talker struct {
	slow int // it sends one message in so many intervals
	lost func(time.Duration) bool

	flows    []Flow
	begun    time.Time
	interval time.Duration
}

func (c talker) Converse(_ context.Context, flows []Flow, interval time.Duration) (Conversation, error) {
	c.flows, c.begun, c.interval = flows, time.Now(), interval*time.Duration(max(c.slow, 1))
	return c, nil
}

func (c talker) Said() (sent, back int) {
	for _, o := range c.End()[c.flows[0]] {
		sent++
		if o.Arrived {
			back++
		}
	}
	return sent, back
}

func (c talker) End() map[Flow][]Observation {
	said := map[Flow][]Observation{}
	for sent := c.begun; sent.Before(time.Now()); sent = sent.Add(c.interval) {
		for _, f := range c.flows {
			said[f] = append(said[f], Observation{Flow: f, Sent: sent, Arrived: !c.lost(sent.Sub(c.begun))})
		}
	}
	return said
}

func TestOutlive(t *testing.T) {
	none := func(time.Duration) bool { return false }
	between := func(from, until time.Duration) func(time.Duration) bool {
		return func(d time.Duration) bool { return d >= from && d < until }
	}
	const end = talkBefore + talkAfter
	for name, c := range map[string]struct {
		lost      func(time.Duration) bool
		slow      int
		idle      bool // the change changes nothing
		leaks     bool // flows can begin in spite of it
		continued bool
		before    time.Duration // how long the flows talk before the change
		cut       time.Duration
		says      string // of the error
	}{
		"it goes on":               {lost: none, continued: true},
		"it is cut":                {lost: between(talkBefore+50*time.Millisecond, time.Hour), cut: 50 * time.Millisecond},
		"it is cut for a while":    {lost: between(talkBefore+50*time.Millisecond, end-100*time.Millisecond), continued: true},
		"it loses the last ten":    {lost: between(end-10*talkInterval, time.Hour), continued: true},
		"it stands still at first": {lost: between(0, time.Hour), says: "came back before: 0 within 20s, want 10"},
		"it was cut at first":      {lost: between(50*time.Millisecond, time.Hour), says: "came back before: 5 within 20s, want 10"},
		"it was cut before":        {lost: between(150*time.Millisecond, time.Hour), says: "cut 50ms before"},
		"few are sent":             {lost: none, slow: 10, before: time.Second, continued: true},
		"of few some are lost":     {lost: between(time.Second+50*time.Millisecond, time.Hour), slow: 10, before: time.Second, cut: 100 * time.Millisecond},
		"too few are sent":         {lost: none, slow: 500, says: "came back before: 5 within 20s, want 10"},
		"nothing is forbidden":     {lost: none, idle: true, says: "the model says"},
		"nothing is enforced":      {lost: none, leaks: true, says: "begun anew once it is forbidden: connected"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t)
				s := m.world.Fleet.State()
				from, _ := end4(s, 1)
				to, pod := end4(s, 2)
				flow := Flow{From: from, To: to, Protocol: corev1.ProtocolTCP, Port: Ports[0]}
				Of(m.world).Converser = talker{lost: c.lost, slow: c.slow}
				begun := time.Now()
				recorded, err := outlive(t.Context(), m.world, Forbidding{Operation: "policy added", Direction: "in", Flows: []Flow{flow}, Do: func(ctx context.Context) error {
					m.leaks = c.leaks
					if c.idle {
						return nil
					}
					closed := workloads.Policy{Key: workloads.Key{Namespace: pod.Namespace, Name: "shut"}}
					closed.Spec = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
					return m.world.Fleet.AddPolicies(ctx, []workloads.Policy{closed})
				}})
				if c.says != "" {
					if err == nil || !strings.Contains(err.Error(), c.says) || len(recorded) > 0 {
						t.Errorf("error %v, want one that says %q; recorded %+v", err, c.says, recorded)
					}
					return
				}
				want := metrics.Measurement{
					Name: "established flows cut", Unit: metrics.Seconds, Doc: establishedDoc,
					Labels: []metrics.Label{{Name: "operation", Value: "policy added"}, {Name: "protocol", Value: "TCP"}, {Name: "direction", Value: "in"}},
				}
				if c.continued {
					want.Without = 1
				} else {
					gap := talkInterval * time.Duration(max(c.slow, 1))
					want.Samples = []metrics.Sample{metrics.Since(begun.Add(lookTakes+cmp.Or(c.before, talkBefore)), c.cut, gap)}
				}
				if err != nil || len(recorded) != 1 || !reflect.DeepEqual(recorded[0], want) || m.looked != 3 {
					t.Errorf("%v: recorded %+v, want %+v; looked %d times at connections", err, recorded, want, m.looked)
				}
			})
		})
	}
	if err := Outlive(t.Context(), &engine.World{Effects: &Set{}}, Forbidding{}); err != ErrNoConversations {
		t.Errorf("a world without conversations: %v", err)
	}
}

// end4 is a local pod as the IPv4 end of a flow.
func end4(s workloads.State, i int) (End, workloads.Pod) {
	pod := s.LocalPods()[i]
	e, _ := end(s, pod, false)
	return e, pod
}
