//go:build linux

// Package uplink makes remote pods real: it owns the fabric, a namespace beyond the node's uplink that stands for all other nodes, over
// which the packets of their pods come and go as in a real cluster, and the routes to it.
//
// The routes are in a table of their own, which is looked up before the main one: there the SUT may delete what it takes for its
// own (docs/findings.md). The package needs CAP_NET_ADMIN.
package uplink

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The table and the rule that leads to it; no SUT that we know uses either.
const (
	table    = 0x6e66
	priority = 999
)

// rules makes the current network namespace look up the routes. The undo must be called in the same namespace and does its work
// once.
func rules() (undo func() error, err error) {
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
