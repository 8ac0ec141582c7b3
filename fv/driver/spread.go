package driver

import (
	"fmt"
	"os"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

// Spread gives pods the address that is spread, and leads to it by them.
func (w *Wire) Spread(pods []workloads.Key, how effects.Spreading) (effects.Spread, error) {
	hops, err := w.hops(pods)
	if err != nil {
		return nil, err
	}
	var resilient *netns.Resilient
	if how.Buckets > 0 {
		resilient = &netns.Resilient{Buckets: how.Buckets, Idle: how.Idle}
	}
	s := &spread{wire: w}
	err = w.prober.Node().Do(func() (err error) {
		s.route, err = netns.NewMultipath(effects.SpreadAddress, hops, resilient)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hops makes pods take the address for theirs, and says how each is reached.
func (w *Wire) hops(pods []workloads.Key) (hops []netns.Hop, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range pods {
		plug, plugged := w.plugs[k]
		ns, ok := w.plugger.Namespace(k)
		if !ok || !plugged || len(plug.IPs) == 0 || !plug.IPs[0].Is4() {
			return nil, fmt.Errorf("spread to %s: it is not plugged with an IPv4 address: %w", k, os.ErrNotExist)
		}
		if err := ns.Do(func() error { return netns.AddAddress(effects.SpreadAddress) }); err != nil {
			return nil, fmt.Errorf("spread to %s: %w", k, err)
		}
		hops = append(hops, netns.Hop{Via: plug.IPs[0], Dev: plug.HostInterface})
	}
	return hops, nil
}

type spread struct {
	wire  *Wire
	route *netns.Multipath
}

func (s *spread) To(pods []workloads.Key) error {
	hops, err := s.wire.hops(pods)
	if err != nil {
		return err
	}
	return s.wire.prober.Node().Do(func() error { return s.route.Set(hops) })
}

func (s *spread) Close() error { return s.wire.prober.Node().Do(s.route.Close) }
