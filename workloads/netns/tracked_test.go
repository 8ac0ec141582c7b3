//go:build linux

package netns

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func track(t *testing.T, protocol uint8, from, to netip.AddrPort) {
	t.Helper()
	family := netlink.InetFamily(unix.AF_INET)
	if from.Addr().Is6() {
		family = unix.AF_INET6
	}
	tuple := func(from, to netip.AddrPort) netlink.IPTuple {
		return netlink.IPTuple{Protocol: protocol, SrcIP: from.Addr().AsSlice(), SrcPort: from.Port(), DstIP: to.Addr().AsSlice(), DstPort: to.Port()}
	}
	c := &netlink.ConntrackFlow{FamilyType: uint8(family), Forward: tuple(from, to), Reverse: tuple(to, from), TimeOut: 100}
	if protocol == unix.IPPROTO_TCP {
		c.ProtoInfo = &netlink.ProtoInfoTCP{State: 3} // established
	}
	if err := netlink.ConntrackCreate(netlink.ConntrackTable, family, c); err != nil {
		t.Fatalf("track a connection: %v", err)
	}
}

func TestTracked(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	at := netip.MustParseAddrPort
	track(t, unix.IPPROTO_TCP, at("10.128.0.1:1000"), at("10.128.0.2:80"))
	track(t, unix.IPPROTO_UDP, at("10.128.0.3:1001"), at("10.128.0.1:53"))
	track(t, unix.IPPROTO_UDP, at("[fd00::1]:1002"), at("[fd00::2]:53"))
	asked := map[string]bool{"10.128.0.1": true, "10.128.0.2": true, "fd00::2": true, "10.128.0.9": true}
	got, err := Tracked(func(ip netip.Addr) bool { return asked[ip.String()] })
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range got {
		slices.Sort(all)
	}
	one, two, six := "tcp 10.128.0.1:1000 > 10.128.0.2:80", "udp 10.128.0.3:1001 > 10.128.0.1:53", "udp [fd00::1]:1002 > [fd00::2]:53"
	want := map[netip.Addr][]string{
		netip.MustParseAddr("10.128.0.1"): {one, two}, netip.MustParseAddr("10.128.0.2"): {one}, netip.MustParseAddr("fd00::2"): {six},
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInterruptedListIsMadeAgain(t *testing.T) {
	failed := errors.New("no conntrack")
	for name, c := range map[string]struct {
		interrupted int
		then, want  error
		made        int
	}{
		"whole at once":       {0, nil, nil, 1},
		"whole in the end":    {tries - 1, nil, nil, tries},
		"never whole":         {tries, nil, netlink.ErrDumpInterrupted, tries},
		"broken":              {0, failed, failed, 1},
		"broken after a time": {1, failed, failed, 2},
	} {
		made := 0
		got, err := whole(func() ([]int, error) {
			if made++; made <= c.interrupted {
				return []int{0}, netlink.ErrDumpInterrupted
			}
			return []int{made}, c.then
		})
		if !errors.Is(err, c.want) || made != c.made || err == nil && !slices.Equal(got, []int{made}) {
			t.Errorf("%s: got %v, %v after %d tries", name, got, err, made)
		}
	}
}
