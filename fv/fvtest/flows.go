package fvtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

// Flow is a new connection between two pods, of which one at least is on the agent's node.
type Flow struct {
	From, To workloads.Key
	Port     uint16
	Protocol corev1.Protocol // TCP or UDP; empty: TCP
}

// String returns both pods, protocol and port.
func (f Flow) String() string {
	return fmt.Sprintf("%s > %s %s/%d", f.From, f.To, strings.ToLower(string(f.protocol())), f.Port)
}

func (f Flow) protocol() corev1.Protocol { return cmp.Or(f.Protocol, corev1.ProtocolTCP) }

// Decide asks the oracle whether the agent must let a flow pass by the policies that the API holds now, and why. It knows the
// specifications of NetworkPolicy and its cluster-wide kin, and nothing of the agent.
func (e *Env) Decide(ctx context.Context, f Flow) (workloads.Decision, error) {
	s, err := e.State(ctx)
	if err != nil {
		return workloads.Decision{}, err
	}
	return decide(workloads.NewIndex(s), f), nil
}

func decide(x *workloads.Index, f Flow) workloads.Decision {
	return x.Passes(workloads.Endpoint{Pod: f.From}, workloads.Endpoint{Pod: f.To}, f.protocol(), f.Port)
}

// Probe tries flows by real packets, all at once, and returns what became of each. The pod that is called listens on the port from then on.
// An agent needs a moment to program what was written: see Verify.
func (e *Env) Probe(ctx context.Context, flows ...Flow) (map[Flow]effects.Outcome, error) {
	s := e.fleet.State()
	var tried []effects.Flow
	for _, f := range flows {
		t, err := onWire(s, f)
		if err != nil {
			return nil, err
		}
		tried = append(tried, t)
	}
	met, err := e.wire.Connect(ctx, tried)
	if err != nil {
		return nil, fmt.Errorf("try %d flows: %w", len(flows), err)
	}
	outcomes := map[Flow]effects.Outcome{}
	for i, f := range flows {
		outcomes[f] = met[tried[i]]
	}
	return outcomes, nil
}

// onWire is a flow as the wire knows it, between addresses of one family.
func onWire(s workloads.State, f Flow) (effects.Flow, error) {
	from, to := s.Pods().Get(f.From), s.Pods().Get(f.To)
	for _, p := range []struct {
		key workloads.Key
		pod workloads.Pod
	}{{f.From, from}, {f.To, to}} {
		if p.pod.Key != p.key {
			return effects.Flow{}, fmt.Errorf("flow %s: pod %s was not plugged", f, p.key)
		}
	}
	end := func(p workloads.Pod, ip netip.Addr) effects.End {
		return effects.End{Key: p.Key, Addr: ip, Remote: p.Node != s.LocalNode}
	}
	for _, a := range from.IPs {
		for _, b := range to.IPs {
			if a.Is4() == b.Is4() {
				return effects.Flow{From: end(from, a), To: end(to, b), Protocol: f.protocol(), Port: f.Port}, nil
			}
		}
	}
	return effects.Flow{}, fmt.Errorf("flow %s: the pods have no addresses of one family", f)
}

// patience is how long the agent has to program what was written.
const patience = 30 * time.Second

// Verify tries flows until each ends as the oracle says of the policies that the API holds then, for 30 seconds at most. Its error lists
// those that do not, with what was wanted and why, and what was got. It ends at once if the agent has died.
func (e *Env) Verify(ctx context.Context, flows ...Flow) error {
	return lifecycle.Wait(ctx, "agreement of packets and policies", patience, func(ctx context.Context) error {
		if err := e.Died(); err != nil {
			return lifecycle.Stop(err)
		}
		return e.verify(ctx, flows...)
	})
}

// verify tries flows once and lists those that end otherwise than the oracle says.
func (e *Env) verify(ctx context.Context, flows ...Flow) error {
	s, err := e.State(ctx)
	if err != nil {
		return err
	}
	outcomes, err := e.Probe(ctx, flows...)
	if err != nil {
		return lifecycle.Stop(err)
	}
	var differ []error
	x := workloads.NewIndex(s)
	for _, f := range flows {
		if want := decide(x, f); !e.agree(want, outcomes[f]) {
			differ = append(differ, fmt.Errorf("%s: want %s (%s), got %s", f, word(want), want.Why, outcomes[f]))
		}
	}
	return errors.Join(differ...)
}

func word(d workloads.Decision) effects.OutcomeKind {
	if d.Allowed {
		return effects.Connected
	}
	return effects.Dropped
}

// agree says whether a flow ended as it must. Some agents refuse what others drop.
func (e *Env) agree(want workloads.Decision, got effects.Outcome) bool {
	return got.Kind == word(want) || !want.Allowed && got.Kind == effects.Refused && e.target.Presentation().Rejects
}
