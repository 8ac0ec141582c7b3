package driver

import (
	"context"
	"net/netip"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/proxyconfig/xds"
)

// openConfiguration begins to follow what the target configures, if it is of that kind.
func (d *Driver) openConfiguration() error {
	t, ok := d.target.(targets.Configurer)
	if !ok {
		return nil
	}
	of := t.Configures()
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), of.Port)
	client, err := xds.Open(of.Node, at.String(), netns.Dial)
	if err != nil {
		return err
	}
	d.configuration, d.pushed = client, make(chan struct{}, 1)
	client.Watch(func(proxyconfig.Push) {
		select {
		case d.pushed <- struct{}{}:
		default:
		}
	})
	d.undo.Push("end the following of the configuration", func(context.Context) error { return client.Close() })
	return nil
}

// configured are the effects of a target that makes a proxy's configuration, and what wakes those who wait for it; false: it is of another kind.
func (d *Driver) configured() (e engine.Effects, wake <-chan struct{}, ok bool) {
	t, ok := d.target.(targets.Configurer)
	if !ok {
		return nil, nil, false
	}
	of := t.Configures()
	c := routed.NewConfigured(d.configuration, t.Dialect(), of.HTTP, of.HTTPS)
	c.Links, c.Known, c.Inspect = node{}.Links, d.known, inspector{d}
	return c, d.pushed, true
}
