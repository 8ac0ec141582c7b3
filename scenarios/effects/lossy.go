package effects

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/nodefv/nodefv/metrics"
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

// Disproved is why a share of loss is not known to have been in force; nil: it was, for all that the count says.
func (l Losses) Disproved(share float64) error {
	const enough = 200
	if l.Seen < enough {
		return fmt.Errorf("a loss of %g %% is not known to have been in force: %d packets met it, which says nothing", 100*share, l.Seen)
	}
	if e := metrics.ExpectAlike(int(l.Seen), share); !e.Holds(int(l.Lost)) {
		return fmt.Errorf("a loss of %g %% was not in force: of %d packets %d were lost, %d to %d would be", 100*share, l.Seen, l.Lost, e.Low, e.High)
	}
	return nil
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
