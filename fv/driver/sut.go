package driver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Gauges scrapes the SUT's own metrics.
func (d *Driver) Gauges(ctx context.Context) (metrics.Snapshot, error) {
	d.mu.Lock()
	gauges, pid := d.gauges, d.pid
	d.mu.Unlock()
	snap, err := gauges.Scrape(ctx)
	if err != nil && stopped(pid) {
		return nil, fmt.Errorf("%w (process %d has state T): %w", engine.ErrFrozen, pid, err)
	}
	return snap, err
}

// Shows reports whether the SUT has a metric for a gauge.
func (d *Driver) Shows(g metrics.Gauge) bool {
	_, shown := d.target.Gauges()[g]
	return shown
}

// Quiesce asks the SUT to collect garbage, all its instances.
func (d *Driver) Quiesce(ctx context.Context) error {
	at := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	err := d.target.Quiesce(ctx, at)
	for _, i := range d.alongside() {
		err = errors.Join(err, i.target.Quiesce(ctx, at))
	}
	return err
}

func (d *Driver) clients() workloads.Clients {
	return workloads.Clients{Core: d.client, Admin: d.admin, Dynamic: d.dynamic, Features: d.target.Features()}
}

// serves reports whether the cluster knows a kind.
func (d *Driver) serves(k workloads.Descriptor) bool { return k.Feature() == "" || d.served[k.Kind()] }

// HasFeature reports whether the target has a feature, and the cluster the kinds of objects that it needs.
func (d *Driver) HasFeature(name workloads.Feature) bool {
	switch name {
	case workloads.Routing:
		return d.target.Presentation().Routes
	case workloads.PodNetwork:
		return targets.IsAgent(d.target)
	case workloads.OwnWay: // else it hears of the cluster from what is started besides
		return len(d.handoff.Target.Extras) == 0
	}
	missing := func(k workloads.Descriptor) bool { return k.Feature() == name && !d.serves(k) }
	return slices.Contains(d.target.Features(), name) && !slices.ContainsFunc(workloads.Kinds(), missing)
}
