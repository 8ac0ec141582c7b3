package effects

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// Lossy loses packets of pods of the node, and counts them. What it begins must be ended before the pods go.
type Lossy interface {
	// Lose has the kernel lose a share of the packets that reach a pod by a protocol on a port, each by chance: a rule of iptables with
	// the match statistic, in the pod's namespace, that is met by IPv4 alone.
	Lose(pod workloads.Key, protocol load.Protocol, port uint16, share float64) (Losing, error)
	// Freeze loses all that a pod says and hears, whoever it is from.
	Freeze(pod workloads.Key) (Losing, error)
}

// Losing is packets being lost. It must be ended, once.
type Losing interface {
	Count() (Losses, error)
	End() (Losses, error) // and the last count
}

// Losses is how many packets were seen, and how many of them were lost.
type Losses struct{ Seen, Lost uint64 }

// Finding is what the record has of a loss of that share of some packets, which are told in words. If it was not in force, the scenario is
// inconclusive: chance oversteps the bounds once in a million times on each side.
func (l Losses) Finding(what string, share float64) report.Finding {
	c := metrics.ClaimShare("loss", share*float64(l.Seen), l.Lost, l.Seen)
	if share < 1 && l.Seen > 0 {
		e := metrics.ExpectAlike(int(l.Seen), share)
		c.Low, c.High = float64(e.Low)/float64(l.Seen), float64(e.High)/float64(l.Seen)
		c = c.Judged()
	}
	return report.Finding{Kind: report.Impairment, Name: "impairment", Impaired: []report.Impaired{{What: what, Packets: l.Seen, Lost: l.Lost, Claims: []metrics.Claim{c}}}}
}

// ErrNoLoss is what a scenario returns in a world where no packets can be lost.
var ErrNoLoss = errors.New("no packets of pods can be lost here")

// Sockets opens sockets of pods, on this node and others, by TCP. All must be closed before their pods go, and at the latest with the scenario.
type Sockets interface {
	Listen(ctx context.Context, at End, port uint16) (net.Listener, error)
	Dial(ctx context.Context, from End, to netip.AddrPort) (net.Conn, error)
}

// ErrNoSockets is what a scenario returns in a world where pods have no sockets.
var ErrNoSockets = errors.New("no sockets of pods can be opened here")
