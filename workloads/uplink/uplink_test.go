//go:build linux

package uplink

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/traffic"
)

func opened(t *testing.T) (*Fabric, *netns.Plugger) {
	t.Helper()
	netnstest.Node(t)
	plugger, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plugger.Close(); err != nil {
			t.Error(err)
		}
	})
	f, err := Open(t.Context(), plugger)
	if err != nil {
		t.Fatal(err)
	}
	return f, plugger
}

// TestRouteIsFoundBeforeTheMainTable wants the fabric's route to be taken though the main table has one to the same address, and
// none to be left in the end.
func TestRouteIsFoundBeforeTheMainTable(t *testing.T) {
	f, _ := opened(t)
	other := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "cali0"}, PeerName: "cali0p"}
	if err := netlink.LinkAdd(other); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(other); err != nil {
		t.Fatal(err)
	}
	addresses := []netip.Addr{netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("fd00:f00d::1")}
	through := func(addr netip.Addr) int {
		routes, err := netlink.RouteGet(addr.AsSlice())
		if err != nil || len(routes) != 1 {
			t.Fatalf("route to %s: %v, %v", addr, routes, err)
		}
		return routes[0].LinkIndex
	}
	for _, addr := range addresses {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: other.Index, Dst: netlink.NewIPNet(addr.AsSlice()), Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time it is no news
		if err := f.Wire(addresses...); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range addresses {
		if got := through(addr); got != f.device.Attrs().Index {
			t.Errorf("%s goes through link %d", addr, got)
		}
	}
	for range 2 {
		if err := f.Unwire(addresses[0]); err != nil {
			t.Error(err)
		}
	}
	if got := through(addresses[0]); got != other.Index || len(f.wired) != 1 {
		t.Errorf("after Unwire %s goes through link %d; wired: %v", addresses[0], got, f.wired)
	}
	if undo, err := rules(); err != nil {
		t.Errorf("a second time: %v", err)
	} else if err := undo(); err != nil {
		t.Error(err)
	}
	f.undo = nil
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := through(addresses[1]); got != other.Index {
		t.Errorf("after Close %s goes through link %d", addresses[1], got)
	}
}

// TestRemotePodsArePackets wants flows between local and remote pods and the node to come from and to the right addresses, and
// nobody to answer for an address that is not wired.
func TestRemotePodsArePackets(t *testing.T) {
	f, plugger := opened(t)
	prober, err := traffic.New(plugger, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := prober.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	const port = 8080
	local := workloads.Plug{Pod: workloads.Key{Namespace: "ns", Name: "local"}, HostInterface: "fv0", IPs: []netip.Addr{netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("fd00::1")}}
	if err := plugger.Plug(t.Context(), []workloads.Plug{local}); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName(local.HostInterface)
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range local.IPs {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: netlink.NewIPNet(ip.AsSlice()), Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
	}
	for _, pod := range []workloads.Key{Pod, local.Pod} {
		ns, _ := plugger.Namespace(pod)
		if err := prober.Listen(ns, []uint16{port}); err != nil {
			t.Fatal(err)
		}
	}
	remote := [][]netip.Addr{
		{netip.MustParseAddr("10.128.1.1"), netip.MustParseAddr("fd00:1::1")}, {netip.MustParseAddr("10.128.1.2"), netip.MustParseAddr("fd00:1::2")},
	}
	unwired := []netip.Addr{netip.MustParseAddr("10.128.1.3"), netip.MustParseAddr("fd00:1::3")}
	var flows []traffic.Flow
	var seen []netip.Addr
	for family := range 2 {
		if err := f.Wire(remote[0][family], remote[1][family]); err != nil {
			t.Fatal(err)
		}
		// The node sends what is for nobody to the fabric as well.
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: f.device.Attrs().Index, Dst: netlink.NewIPNet(unwired[family].AsSlice()), Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
		for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
			for _, ips := range remote {
				flows = append(flows, traffic.Flow{From: local.Pod, To: ips[family], Port: port, Protocol: protocol},
					traffic.Flow{From: Pod, Source: ips[family], To: local.IPs[family], Port: port, Protocol: protocol})
				seen = append(seen, local.IPs[family], ips[family])
			}
			flows, seen = append(flows, traffic.Flow{From: local.Pod, To: unwired[family], Port: port, Protocol: protocol}), append(seen, netip.Addr{})
		}
	}
	// The kernel takes new carriers up in its own time, a second on a busy machine.
	if err := lifecycle.Wait(t.Context(), "carriers", 10*time.Second, func(ctx context.Context) error {
		return prober.Probe(ctx, flows[:1])[0].Err
	}); err != nil {
		t.Fatal(err)
	}
	for i, r := range prober.Probe(t.Context(), flows) {
		if (r.Err == nil) != seen[i].IsValid() || r.SourceSeen != seen[i] {
			t.Errorf("%+v: got %+v, want source %s", flows[i], r, seen[i])
		}
	}
}
