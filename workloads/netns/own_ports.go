//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// OwnFirst and OwnLast are the local ports from which Dial connects. The kernel gives them to nobody who does not ask for one: its own
// choice begins above them.
const (
	OwnFirst = 28_000
	OwnLast  = 29_999
)

var nextOwn atomic.Uint32

// Dial connects by TCP from one of the own ports, so that filters can tell the connection from those of other programs of the namespace.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return DialFrom(ctx, network, address, OwnFirst, OwnLast)
}

// DialFrom connects by TCP from a local port of a range.
func DialFrom(ctx context.Context, network, address string, first, last uint16) (net.Conn, error) {
	ports := uint32(last-first) + 1
	for range ports {
		d := net.Dialer{LocalAddr: &net.TCPAddr{Port: int(uint32(first) + nextOwn.Add(1)%ports)}}
		c, err := d.DialContext(ctx, network, address)
		// A port may be taken, or rest after a connection to the same address.
		if errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL) {
			continue
		}
		return c, err
	}
	return nil, fmt.Errorf("connect to %s: none of the ports %d to %d is free", address, first, last)
}
