package driver

import (
	"context"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/traffic/continuous"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// Load begins continuous traffic. The namespaces of its pods must not go before it has ended: its sockets keep them alive.
func (w *Wire) Load(ctx context.Context, flows []effects.Flow, spec load.Spec) (effects.Load, error) {
	named := len(spec.Servers) > 0
	for _, f := range flows {
		if err := w.Ready(f.From); err != nil {
			return nil, err
		}
		on := onWire(f)
		spec.Pairs = append(spec.Pairs, load.Pair{From: on.From, Source: on.Source, To: netip.AddrPortFrom(f.To.Addr, f.Port)})
		if named {
			continue
		}
		if err := w.Ready(f.To); err != nil {
			return nil, err
		}
		server := f.To.Key
		if f.To.Remote {
			server = uplink.Pod
		}
		if !slices.Contains(spec.Servers, server) {
			spec.Servers = append(spec.Servers, server)
		}
	}
	var l *continuous.Traffic
	err := w.prober.Node().Do(func() (err error) { // which is where traffic takes the node from
		l, err = continuous.Start(ctx, w.plugger, spec)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}
