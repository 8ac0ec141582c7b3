//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS

var errShort = errors.New("message too short")

// Routes returns the unicast routes of the current namespace's main table that lead to a single address through a
// device: prefix ("10.128.0.1/32", "fd00::1/128") to interface name. It costs three dumps, whatever their number. What
// changes during the call may be missing; a Watcher's next wake-up tells of it.
func Routes() (map[string]string, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	defer c.close()
	routes := map[string]int{}
	for _, f := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := c.hostRoutes(f, routes); err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
	}
	// Links come last: an interface is older than its routes.
	links, err := c.links()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	named := make(map[string]string, len(routes))
	for prefix, index := range routes {
		if name, ok := links[index]; ok {
			named[prefix] = name
		}
	}
	return named, nil
}

// Links returns the names of the current namespace's interfaces, sorted.
func Links() ([]string, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	defer c.close()
	links, err := c.links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return slices.Sorted(maps.Values(links)), nil
}

// Blackhole adds a route to the current namespace's main table that drops what goes to the prefix and has no longer
// match, so that packets to a pod without a route never leave by the default route. An existing blackhole or other route
// for exactly the prefix is an error. The undo acts on the same namespace from anywhere and does its work once.
func Blackhole(prefix netip.Prefix) (undo func() error, err error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("add blackhole route: %w", err)
	}
	prefix = prefix.Masked()
	if err := c.do(blackhole("add", unix.RTM_NEWROUTE, create, prefix)); err != nil {
		c.close()
		return nil, err
	}
	return sync.OnceValue(func() error {
		defer c.close()
		if err := c.do(blackhole("delete", unix.RTM_DELROUTE, 0, prefix)); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		return nil
	}), nil
}

func (c *conn) hostRoutes(f uint8, into map[string]int) error {
	m := nl.NewRtMsg()
	// The kernel filters by table and type (since 5.0); other header fields must be zero in a strict dump.
	m.Family, m.Scope, m.Protocol = f, 0, 0
	err := c.dump(newRequest("dump routes", unix.RTM_GETROUTE, unix.NLM_F_DUMP, m), func(m syscall.NetlinkMessage) error {
		prefix, index, err := parseRoute(m)
		if err == nil && index != 0 {
			into[prefix.String()] = index
		}
		return err
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil // no such table yet, or no such family
	}
	return err
}

// parseRoute returns index 0 for a route that is none of those that Routes returns.
func parseRoute(m syscall.NetlinkMessage) (prefix netip.Prefix, index int, err error) {
	if len(m.Data) < unix.SizeofRtMsg {
		return prefix, 0, errShort
	}
	head := nl.DeserializeRtMsg(m.Data)
	if m.Header.Type != unix.RTM_NEWROUTE || head.Type != unix.RTN_UNICAST || head.Table != unix.RT_TABLE_MAIN ||
		head.Flags&unix.RTM_F_CLONED != 0 {
		return prefix, 0, nil
	}
	attributes, err := nl.ParseRouteAttr(m.Data[unix.SizeofRtMsg:])
	if err != nil {
		return prefix, 0, err
	}
	var to netip.Addr
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.RTA_DST:
			to, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_OIF:
			if len(a.Value) == 4 {
				index = int(binary.NativeEndian.Uint32(a.Value))
			}
		}
	}
	if !to.IsValid() || int(head.Dst_len) != to.BitLen() {
		return prefix, 0, nil
	}
	return netip.PrefixFrom(to, to.BitLen()), index, nil
}

// links returns the names of the interfaces by index.
func (c *conn) links() (map[int]string, error) {
	links := map[int]string{}
	r := newRequest("dump links", unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStatistics)))
	err := c.dump(r, func(m syscall.NetlinkMessage) error {
		index, name, err := parseLink(m)
		if err == nil {
			links[index] = name
		}
		return err
	})
	return links, err
}

func parseLink(m syscall.NetlinkMessage) (index int, name string, err error) {
	if len(m.Data) < unix.SizeofIfInfomsg {
		return 0, "", fmt.Errorf("parse link: %w", errShort)
	}
	attributes, err := nl.ParseRouteAttr(m.Data[unix.SizeofIfInfomsg:])
	if err != nil {
		return 0, "", fmt.Errorf("parse link: %w", err)
	}
	for _, a := range attributes {
		if a.Attr.Type == unix.IFLA_IFNAME {
			name = unix.ByteSliceToString(a.Value)
		}
	}
	return int(nl.DeserializeIfInfomsg(m.Data).Index), name, nil
}
