package routed

import (
	"context"
	"net/netip"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/requests"
)

// Presser makes loads of requests from the node and its pods, and knows what bounds them.
type Presser interface {
	Press(ctx context.Context, l requests.Load) (requests.Report, error)
	// Environment reads what of the machine bounds a load, against what it needs; nil: of no load.
	Environment(l *requests.Load) (report.Environment, error)
	// Reference starts a bare proxy on a port of the node, which passes requests on to a few addresses. Its error says if there is none.
	Reference(ctx context.Context, port uint16, to []netip.AddrPort) (stop func() error, err error)
}

// PresserOf returns what makes loads; false: nothing does here.
func PresserOf(w *engine.World) (Presser, bool) {
	p, ok := ProxiedOf(w)
	if !ok {
		return nil, false
	}
	presser, ok := p.Asker.(Presser)
	return presser, ok
}
