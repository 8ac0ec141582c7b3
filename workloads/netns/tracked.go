//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Tracked lists the connections that the kernel tracks in the current namespace, of both families, by each address that is asked for
// and from which they, or the answers to them, come. It costs two dumps, however many addresses are asked for. What changes during the
// call may be missing.
func Tracked(asked func(netip.Addr) bool) (map[netip.Addr][]string, error) {
	tracked := map[netip.Addr][]string{}
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		connections, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, fmt.Errorf("list tracked connections: %w", err)
		}
		for _, c := range connections {
			from, _ := netip.AddrFromSlice(c.Forward.SrcIP)
			to, _ := netip.AddrFromSlice(c.Reverse.SrcIP)
			from, to = from.Unmap(), to.Unmap()
			told := fmt.Sprintf("%s %s > %s", protocolName(c.Forward.Protocol), netip.AddrPortFrom(from, c.Forward.SrcPort), netip.AddrPortFrom(to, c.Forward.DstPort))
			for _, end := range []netip.Addr{from, to} {
				if asked(end) {
					tracked[end] = append(tracked[end], told)
				}
			}
		}
	}
	return tracked, nil
}

func protocolName(number uint8) string {
	switch number {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	}
	return fmt.Sprintf("protocol %d", number)
}
