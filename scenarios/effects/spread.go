package effects

import (
	"errors"
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// Spreader gives pods of the node one address more, which all of them have, and leads to it by a route with several next hops, as
// routers do to the servers of a service.
type Spreader interface {
	// Spread begins it with these pods as next hops, in their order. The pods keep the address.
	Spread(pods []workloads.Key, how Spreading) (Spread, error)
}

// Spreading is how a next hop is chosen by the hash of a packet's 5-tuple.
type Spreading struct {
	// Buckets is how many the kernel has between hashes and next hops (a resilient group); 0: none, hashes are divided among the hops.
	Buckets uint16
	Idle    time.Duration // a bucket that no packet used for so long may pass on
}

// Spread is an address with next hops. It must be closed.
type Spread interface {
	To(pods []workloads.Key) error // makes these the next hops
	Close() error
}

// SpreadAddress is the address: that of no pod and no node.
var SpreadAddress = netip.MustParseAddr("198.19.0.1")

// ErrNoSpread is what a scenario returns in a world where nobody spreads an address.
var ErrNoSpread = errors.New("no address can be spread over pods here")
