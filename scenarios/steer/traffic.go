package steer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// most is how many kinds of traffic there may be at once: each has a thread.
const most = 8

// traffic is one kind of traffic under way.
type traffic struct {
	order Traffic
	flows []effects.Flow // connection n is of flow n modulo their number
	load  effects.Load
}

// flow is that of a connection.
func (t *traffic) flow(number int) effects.Flow { return t.flows[number%len(t.flows)] }

func (s *Session) startTraffic(t Traffic) error {
	loader := effects.Of(s.world).Loader
	if loader == nil {
		return effects.ErrNoLoad
	}
	if s.running(t.Name) != nil {
		return fmt.Errorf("there is traffic %s already: choose another name", t.Name)
	}
	if len(s.traffic) == most {
		return fmt.Errorf("there may be %d kinds of traffic at once", most)
	}
	pairs, err := s.pairs(t)
	if err != nil {
		return err
	}
	n := len(pairs) * max(t.Connections, 1)
	if n > MostConnections {
		return fmt.Errorf("%d pairs make %d connections; there may be up to %d", len(pairs), n, MostConnections)
	}
	run := &traffic{order: t}
	for _, p := range pairs {
		run.flows = append(run.flows, s.flow(p[0], p[1], t.Protocol, effects.LoadPort+s.ports))
	}
	s.ports++
	run.load, err = loader.Load(s.ctx, run.flows, load.Spec{
		Protocol: t.Protocol, Connections: n, Rate: t.Rate * float64(n), Size: t.Size, Reconnects: math.MaxInt32,
		Late: time.Second, // what an impairment delays is not late for that
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traffic = append(s.traffic, run)
	return nil
}

func (s *Session) stopTraffic(name string) error {
	t := s.running(name)
	if t == nil {
		return fmt.Errorf("there is no traffic %s", name)
	}
	s.mu.Lock()
	s.traffic = slices.DeleteFunc(s.traffic, func(other *traffic) bool { return other == t })
	s.mu.Unlock()
	report, err := t.load.Stop()
	if err != nil {
		return err
	}
	return s.record(t, report)
}

// pairs are who talks with whom.
func (s *Session) pairs(t Traffic) (pairs [][2]workloads.Pod, err error) {
	state := s.world.Fleet.State()
	var here []workloads.Pod
	for _, p := range state.LocalPods() {
		if planned(p) && len(p.IPs) > 0 {
			here = append(here, p)
		}
	}
	if t.Pattern == OnePair || t.Pattern == AllToOne {
		to, err := s.find(t.To)
		if err != nil {
			return nil, err
		}
		from := here
		if t.Pattern == OnePair {
			one, err := s.find(t.From)
			if err != nil {
				return nil, err
			}
			from = []workloads.Pod{one}
			if one.Node != state.LocalNode && to.Node != state.LocalNode {
				return nil, fmt.Errorf("neither %s nor %s is on this node", t.From, t.To)
			}
		}
		for _, p := range from {
			if p.Key != to.Key {
				pairs = append(pairs, [2]workloads.Pod{p, to})
			}
		}
	}
	if t.Pattern == Ring {
		for i, p := range here {
			if next := here[(i+1)%len(here)]; next.Key != p.Key {
				pairs = append(pairs, [2]workloads.Pod{p, next})
			}
		}
	}
	if t.Pattern == Namespaces {
		first := map[string]workloads.Pod{}
		for _, p := range here {
			if first[p.Namespace].Name == "" {
				first[p.Namespace] = p
			}
		}
		for _, p := range state.Pods().All() {
			if to := first[p.Namespace]; planned(p) && len(p.IPs) > 0 && to.Name != "" && to.Key != p.Key {
				pairs = append(pairs, [2]workloads.Pod{p, to})
			}
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("there are no two pods for that")
	}
	return pairs, nil
}

// flow is between the first addresses of two pods.
func (s *Session) flow(from, to workloads.Pod, protocol load.Protocol, port uint16) effects.Flow {
	local := s.world.Fleet.State().LocalNode
	end := func(p workloads.Pod) effects.End {
		return effects.End{Key: p.Key, Addr: p.IPs[0], Remote: p.Node != local}
	}
	return effects.Flow{From: end(from), To: end(to), Protocol: carrier(protocol), Port: port}
}

// carrier is what a protocol of traffic travels in.
func carrier(p load.Protocol) corev1.Protocol {
	if cmp.Or(p, load.TCP) == load.UDP {
		return corev1.ProtocolUDP
	}
	return corev1.ProtocolTCP
}
