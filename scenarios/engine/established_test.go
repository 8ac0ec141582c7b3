package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// talker is a Converser whose messages come back unless they are lost, which depends on how long after the first they are sent.
type talker struct{ lost func(time.Duration) bool }

func (c talker) Converse(_ context.Context, flows []Flow, interval time.Duration) (func() map[Flow][]Observation, error) {
	begun := time.Now()
	return func() map[Flow][]Observation {
		said := map[Flow][]Observation{}
		for sent := begun; sent.Before(time.Now()); sent = sent.Add(interval) {
			for _, f := range flows {
				said[f] = append(said[f], Observation{Flow: f, Sent: sent, Arrived: !c.lost(sent.Sub(begun))})
			}
		}
		return said
	}, nil
}

func TestOutlive(t *testing.T) {
	none := func(time.Duration) bool { return false }
	between := func(from, until time.Duration) func(time.Duration) bool {
		return func(d time.Duration) bool { return d >= from && d < until }
	}
	const end = talkBefore + talkAfter
	for name, c := range map[string]struct {
		lost      func(time.Duration) bool
		idle      bool // the change changes nothing
		leaks     bool // flows can begin in spite of it
		continued bool
		cut       time.Duration
		says      string // of the error
	}{
		"it goes on":               {lost: none, continued: true},
		"it is cut":                {lost: between(talkBefore+50*time.Millisecond, time.Hour), cut: 50 * time.Millisecond},
		"it is cut for a while":    {lost: between(talkBefore+50*time.Millisecond, end-100*time.Millisecond), continued: true},
		"it loses the last ten":    {lost: between(end-10*talkInterval, time.Hour), continued: true},
		"it stands still at first": {lost: between(0, time.Hour), says: "0 came back"},
		"it was cut at first":      {lost: between(50*time.Millisecond, time.Hour), says: "5 came back before"},
		"it was cut before":        {lost: between(150*time.Millisecond, time.Hour), says: "cut 50ms before"},
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
				var recorded []report.Established
				converged := 0
				m.world.Converser = talker{c.lost}
				m.world.Converge = func(context.Context) error { converged++; return nil }
				m.world.record = func(e report.Entry) { recorded = append(recorded, *e.Established) }
				begun := time.Now()
				err := m.world.Outlive(t.Context(), Forbidding{Operation: "policy added", Direction: "in", Flows: []Flow{flow}, Do: func(ctx context.Context) error {
					if c.leaks {
						m.fault = func(f Facts) error { f[flow.String()] = string(Connected); return nil }
					}
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
				want := report.Established{At: begun.Add(talkBefore), Operation: "policy added", Protocol: "TCP", Direction: "in", Continued: c.continued, Cut: c.cut}
				if c.cut > 0 {
					want.Gap = talkInterval
				}
				if err != nil || len(recorded) != 1 || recorded[0] != want || converged != 2 {
					t.Errorf("%v: recorded %+v, want %+v; converged %d times", err, recorded, want, converged)
				}
			})
		})
	}
	if err := (&World{}).Outlive(t.Context(), Forbidding{}); err != ErrNoConversations {
		t.Errorf("a world without conversations: %v", err)
	}
}

// end4 is a local pod as the IPv4 end of a flow.
func end4(s workloads.State, i int) (End, workloads.Pod) {
	pod := s.LocalPods()[i]
	e, _ := end(s, pod, false)
	return e, pod
}
