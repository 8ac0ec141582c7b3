//go:build linux

// Package uplink makes the routes to remote pods that are wired: their veths stand for the links to their nodes, over which
// the packets of other nodes' pods come and go in a real cluster.
//
// It owns nothing: the kernel removes the routes with their veth. It needs CAP_NET_ADMIN and is safe for concurrent use.
package uplink

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Route adds, in the current network namespace, a route to each address through the device.
func Route(device string, addresses []netip.Addr) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("find link %s: %w", device, err)
	}
	for _, ip := range addresses {
		to := &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Scope: netlink.SCOPE_LINK, Protocol: unix.RTPROT_STATIC}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("add route to %s through %s: %w", ip, device, err)
		}
	}
	return nil
}
