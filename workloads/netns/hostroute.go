//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Route leads to an address through an interface of the current namespace, instead of what led there before. The route goes with the interface.
func Route(ip netip.Addr, dev string) error {
	route, err := hostRoute(ip, dev)
	if err == nil {
		err = netlink.RouteReplace(route)
	}
	if err != nil {
		return fmt.Errorf("route %s through %s: %w", ip, dev, err)
	}
	return nil
}

// Unroute undoes Route; a route that is not there is no error.
func Unroute(ip netip.Addr, dev string) error {
	route, err := hostRoute(ip, dev)
	if err == nil {
		err = netlink.RouteDel(route)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove the route to %s through %s: %w", ip, dev, err)
	}
	return nil
}

func hostRoute(ip netip.Addr, dev string) (*netlink.Route, error) {
	link, err := netlink.LinkByName(dev)
	if err != nil {
		return nil, err
	}
	bits := ip.BitLen()
	return &netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)}}, nil
}
