//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tries is how often the kernel is asked for a list at most: one that changes interrupt may lack what did not change.
const tries = 5

// Tracked lists the connections that the kernel tracks in the current namespace, of both families, by each address that is asked for
// and from which they, or the answers to them, come. It costs two dumps, however many addresses are asked for. Connections that come or go during
// the call may be missing; that others may be is an error.
func Tracked(asked func(netip.Addr) bool) (map[netip.Addr][]string, error) {
	tracked := map[netip.Addr][]string{}
	err := eachTracked(func(from, to netip.Addr, told string) {
		for _, end := range []netip.Addr{from, to} {
			if asked(end) {
				tracked[end] = append(tracked[end], told)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return tracked, nil
}

// eachTracked goes over the connections of both families: from where they come, from where the answers do, and both with protocol and ports.
func eachTracked(do func(from, to netip.Addr, told string)) error {
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		connections, err := whole(func() ([]*netlink.ConntrackFlow, error) {
			return netlink.ConntrackTableList(netlink.ConntrackTable, family)
		})
		if err != nil {
			return fmt.Errorf("list tracked connections: %w", err)
		}
		for _, c := range connections {
			from, _ := netip.AddrFromSlice(c.Forward.SrcIP)
			to, _ := netip.AddrFromSlice(c.Reverse.SrcIP)
			from, to = from.Unmap(), to.Unmap()
			do(from, to, fmt.Sprintf("%s %s > %s", protocolName(c.Forward.Protocol), netip.AddrPortFrom(from, c.Forward.SrcPort), netip.AddrPortFrom(to, c.Forward.DstPort)))
		}
	}
	return nil
}

// whole asks for a list until it is not interrupted.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range tries {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return nil, fmt.Errorf("%w, %d times", err, tries)
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
