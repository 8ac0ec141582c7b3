//go:build linux

// Package uplink makes the routes to remote pods that are wired: their veths stand for the links to their nodes, over which
// the packets of other nodes' pods come and go in a real cluster.
//
// The routes are in a table of their own, which is looked up before the main one: there the SUT may delete what it takes for its
// own (docs/findings.md). The package needs CAP_NET_ADMIN.
package uplink

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The table and the rule that leads to it; no SUT that we know uses either.
const (
	table    = 0x6e66
	priority = 999
)

// Open makes the current network namespace look up the routes. The undo must be called in the same namespace and does its work
// once.
func Open() (undo func() error, err error) {
	var made []*netlink.Rule
	remove := func() error {
		var errs error
		for _, r := range made {
			if err := netlink.RuleDel(r); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = errors.Join(errs, fmt.Errorf("delete rule of table %d: %w", table, err))
			}
		}
		return errs
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rule := netlink.NewRule()
		rule.Family, rule.Table, rule.Priority = family, table, priority
		err := netlink.RuleAdd(rule)
		if family == netlink.FAMILY_V6 && errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil && !errors.Is(err, unix.EEXIST) { // left by a driver that was killed
			return nil, errors.Join(fmt.Errorf("add rule of table %d: %w", table, err), remove())
		}
		made = append(made, rule)
	}
	return sync.OnceValue(remove), nil
}

// Route adds, in the current network namespace, a route to each address through the device. The kernel removes it with the
// device. It is safe for concurrent use.
func Route(device string, addresses []netip.Addr) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("find link %s: %w", device, err)
	}
	for _, ip := range addresses {
		to := &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Table: table, Scope: netlink.SCOPE_LINK, Protocol: unix.RTPROT_STATIC}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("add route to %s through %s: %w", ip, device, err)
		}
	}
	return nil
}
