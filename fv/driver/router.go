package driver

import (
	"fmt"
	"net/netip"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
)

// paceCounted is how many requests are made a second of a SUT that counts every allocation, as one that is looked at for leaks does: more would leave
// it no time for its routes.
const paceCounted = 10

// proxied are the effects of a target that routes requests; nil: it is of another kind. The pods serve from then on.
func (d *Driver) proxied() (engine.Effects, error) {
	t, ok := d.target.(targets.Router)
	if !ok {
		return nil, nil
	}
	if err := d.wire.ServeWeb(routed.BackendPort); err != nil {
		return nil, err
	}
	asker, err := d.wire.Asker()
	if err != nil {
		return nil, err
	}
	asker.About(d.process)
	one := func(t targets.Router) *routed.Proxied {
		at := t.Listens()
		e := &routed.Proxied{
			Asker: asker, Dialect: t.Dialect(), HTTP: netip.AddrPortFrom(d.addr, at.HTTP), Closes: at.Closes, Links: node{}.Links, Known: d.known, Inspect: inspector{d},
		}
		if d.handoff.Leak != nil {
			e.Pace = paceCounted
		}
		if at.HTTPS != 0 {
			e.HTTPS = netip.AddrPortFrom(d.addr, at.HTTPS)
		}
		return e
	}
	all := one(t)
	for _, i := range d.alongside() {
		t, ok := i.target.(targets.Router)
		if !ok {
			return nil, fmt.Errorf("instance %d of %s routes no requests", i.number, d.target.Name())
		}
		other := one(t)
		other.Number = i.number
		all.Number, all.Others = 1, append(all.Others, other)
	}
	return all, nil
}
