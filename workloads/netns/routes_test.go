//go:build linux

package netns

import (
	"errors"
	"maps"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func addRoute(t *testing.T, prefix, device string) {
	t.Helper()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	to, err := netlink.ParseIPNet(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Scope: unix.RT_SCOPE_LINK}); err != nil {
		t.Fatalf("add route %s: %v", prefix, err)
	}
}

func TestRoutes(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	if got, err := Routes(); err != nil || len(got) != 0 {
		t.Errorf("routes of an empty namespace: %v, %v", got, err)
	}
	p := newPlugger(t)
	pods := plugs(2)
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"10.128.0.0/32": pods[0].HostInterface, "10.128.0.1/32": pods[1].HostInterface,
		"fd00::/128": pods[0].HostInterface, "fd00::1/128": pods[1].HostInterface,
	}
	for prefix, device := range want {
		addRoute(t, prefix, device)
	}
	addRoute(t, "10.9.0.0/24", pods[0].HostInterface)
	undo, err := Blackhole(netip.MustParsePrefix("10.7.7.7/32"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Routes(); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, want %v, error %v", got, want, err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
}

func TestBlackhole(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	for _, pool := range []string{"10.128.0.0/14", "fd00::/64"} {
		prefix := netip.MustParsePrefix(pool)
		undo, err := Blackhole(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := netlink.RouteGet(prefix.Addr().Next().AsSlice()); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s is not a blackhole: %v", pool, err)
		}
		if _, err := Blackhole(prefix); !errors.Is(err, unix.EEXIST) {
			t.Errorf("second blackhole: %v", err)
		}
		for range 2 {
			if err := undo(); err != nil {
				t.Error(err)
			}
		}
		if _, err := netlink.RouteGet(prefix.Addr().Next().AsSlice()); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("%s is still routed: %v", pool, err)
		}
	}
}

func TestRouteAndUnroute(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p, pods := newPlugger(t), plugs(2)
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	for _, ip := range pods[0].IPs {
		prefix := netip.PrefixFrom(ip, ip.BitLen()).String()
		for _, pod := range pods { // the one who comes last has it
			if err := Route(ip, pod.HostInterface); err != nil {
				t.Fatal(err)
			}
			if got, err := Routes(); err != nil || got[prefix] != pod.HostInterface {
				t.Errorf("%s leads to %q, want %s, error %v", prefix, got[prefix], pod.HostInterface, err)
			}
		}
		for range 2 {
			if err := Unroute(ip, pods[1].HostInterface); err != nil {
				t.Error(err)
			}
		}
		if got, err := Routes(); err != nil || got[prefix] == pods[1].HostInterface {
			t.Errorf("%s still leads to %q, error %v", prefix, got[prefix], err)
		}
	}
	if err := Route(pods[0].IPs[0], "nowhere"); err == nil {
		t.Error("an interface that is not there: no error")
	}
}
