//go:build linux

package uplink

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// enterFresh moves the test into a network namespace of its own, or skips it where that is not possible. The thread is given up
// with the test's goroutine.
func enterFresh(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "root") {
			t.Fatalf("the root tier is required and cannot run: %v", err)
		}
		t.Skipf("needs root: %v", err)
	}
}

// TestRouteIsFoundBeforeTheMainTable wants the uplink's route to be taken though the main table has one to the same address, and
// none to be left in the end.
func TestRouteIsFoundBeforeTheMainTable(t *testing.T) {
	enterFresh(t)
	var links []netlink.Link
	for _, name := range []string{"fvr0", "cali0"} {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(veth); err != nil {
			t.Fatal(err)
		}
		links = append(links, veth)
	}
	for _, ip := range []string{"10.128.0.1", "fd00:f00d::1"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("0"), 0); err != nil {
			t.Log(err)
		}
		addr := netip.MustParseAddr(ip)
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: links[1].Attrs().Index, Dst: netlink.NewIPNet(addr.AsSlice()), Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
		device := func() int {
			routes, err := netlink.RouteGet(addr.AsSlice())
			if err != nil || len(routes) != 1 {
				t.Fatalf("route to %s: %v, %v", ip, routes, err)
			}
			return routes[0].LinkIndex
		}
		undo, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := Route("fvr0", []netip.Addr{addr}); err != nil {
			t.Fatal(err)
		}
		if got := device(); got != links[0].Attrs().Index {
			t.Errorf("%s goes through link %d", ip, got)
		}
		if _, err := Open(); err != nil {
			t.Errorf("a second time: %v", err)
		}
		if err := undo(); err != nil {
			t.Error(err)
		}
		if got := device(); got != links[1].Attrs().Index {
			t.Errorf("after undo %s goes through link %d", ip, got)
		}
	}
	if err := Route("nobody", nil); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v", err)
	}
}
