package effects

import (
	"context"
	"errors"
	"net/netip"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Inspector reads what the SUT and the node's kernel hold.
type Inspector interface {
	// Sample reads all gauges, and marks the point as settled.
	Sample(ctx context.Context) metrics.Point
	// Profile takes a profile, after a garbage collection if it is of the heap, and returns its bytes as well. ErrNoProfile: the SUT shows none of that kind.
	Profile(ctx context.Context, k sites.Kind) (sites.Table, []byte, error)
	// Census counts what the kernel holds for the SUT.
	Census(ctx context.Context) (kernel.Census, error)
	// Retire removes the node's own routes and neighbours for addresses that have gone: they are the driver's, and must not be taken for the SUT's.
	Retire(gone func(netip.Addr) bool) error
	// Keep writes a file into the run's folder.
	Keep(name string, data []byte) error
	// RestartAPI kills the API server and starts it again.
	RestartAPI(ctx context.Context) error
}

// InspectorOf returns who looks into the SUT of a world, whatever kind it is of; nil: nobody does.
func InspectorOf(w *engine.World) Inspector {
	if e, ok := w.Effects.(interface{ Inspector() Inspector }); ok {
		return e.Inspector()
	}
	return nil
}

// Inspector returns who looks into the SUT; nil: nobody does.
func (e *Set) Inspector() Inspector { return e.Inspect }

// ErrNoProfile says that the SUT shows no profile of that kind.
var ErrNoProfile = errors.New("the SUT shows no such profile")
