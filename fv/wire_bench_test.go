package fv

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/fv/driver"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads"
	nodens "github.com/nodefv/nodefv/workloads/netns"
)

const benchWorkloads = 1000

// BenchmarkPlug connects dual-stack workloads: ours through the Plugger, raw by one netlink call after the other on as many threads. The
// SUT is stopped meanwhile: the links are not its own. It is the last benchmark, as it is in the last file of them: links that come and go
// so fast have killed Felix v3.31.0 (docs/findings.md), and the others shall find it alive.
func BenchmarkPlug(b *testing.B) {
	for _, way := range []string{"ours", "raw", "raw", "ours"} {
		b.Run(way, func(b *testing.B) {
			d := benchDriver(b, 1)
			stopAgent(b, d)
			plugs := benchPlugs(b, d)
			if way == "raw" {
				benchRaw(b, plugs)
			} else {
				benchOurs(b, d, plugs)
			}
			calm(b)
		})
	}
}

func benchOurs(b *testing.B, d *driver.Driver, plugs []workloads.Plug) {
	b.Helper()
	for b.Loop() {
		if err := d.Wire().Plug(b.Context(), plugs); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, "workloads/s", benchWorkloads)
	var keys []workloads.Key
	for _, p := range plugs {
		keys = append(keys, p.Pod)
	}
	begun := time.Now()
	if err := d.Wire().Unplug(b.Context(), keys); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(benchWorkloads/time.Since(begun).Seconds(), "unplugs/s")
}

func benchRaw(b *testing.B, plugs []workloads.Plug) {
	b.Helper()
	var spaces []netns.NsHandle
	for b.Loop() {
		var err error
		if spaces, err = rawPlug(plugs); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, "workloads/s", benchWorkloads)
	for _, ns := range spaces {
		_ = ns.Close()
	}
}

func benchPlugs(b *testing.B, d *driver.Driver) []workloads.Plug {
	b.Helper()
	plan, err := workloads.NewPlan(1, workloads.Topology{Namespaces: 1, PodsPerNamespace: benchWorkloads, Local: -1, DualStack: true}, d.Handoff().Node)
	if err != nil {
		b.Fatal(err)
	}
	var plugs []workloads.Plug
	for _, p := range plan.Ring(plan.State()) {
		// Not as the agent expects them: it would be measured as well.
		plugs = append(plugs, workloads.Plug{Pod: p.Key, HostInterface: fmt.Sprintf("bench%d", len(plugs)), IPs: p.IPs})
	}
	return plugs
}

// calm waits until the kernel has done with the namespaces that were closed: their end slows everything else down.
func calm(b *testing.B) {
	b.Helper()
	err := lifecycle.Wait(b.Context(), "end of the benchmark's links", time.Minute, func(context.Context) error {
		links, err := nodens.Links()
		if err == nil && slices.ContainsFunc(links, func(l string) bool { return strings.HasPrefix(l, "bench") }) {
			err = fmt.Errorf("%d links are left", len(links))
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// rawPlug does what the Plugger does with the calls of the netlink library, on two threads.
func rawPlug(plugs []workloads.Plug) ([]netns.NsHandle, error) {
	const threads = 2
	spaces := make([]netns.NsHandle, len(plugs))
	var next atomic.Int64
	var group errgroup.Group
	for range threads {
		group.Go(func() error {
			runtime.LockOSThread() // and end with it: its namespace changes
			home, err := netns.Get()
			if err != nil {
				return err
			}
			defer home.Close()
			host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
			if err != nil {
				return err
			}
			defer host.Close()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(plugs) {
					return nil
				}
				if spaces[i], err = netns.New(); err != nil {
					return err
				}
				if err := netns.Set(home); err != nil {
					return err
				}
				if err := rawWorkload(host, spaces[i], plugs[i]); err != nil {
					return fmt.Errorf("%s: %w", plugs[i].HostInterface, err)
				}
			}
		})
	}
	return spaces, group.Wait()
}

func rawWorkload(host *netlink.Handle, ns netns.NsHandle, p workloads.Plug) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.HostInterface
	if err := host.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns))}); err != nil {
		return err
	}
	pod, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer pod.Close()
	eth0, err := pod.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := pod.LinkSetUp(eth0); err != nil {
		return err
	}
	for _, ip := range p.IPs {
		bits := ip.BitLen()
		address := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)}, Flags: unix.IFA_F_NODAD}
		if ip.Is4() {
			address.Flags = 0
		}
		if err := pod.AddrAdd(eth0, address); err != nil {
			return err
		}
	}
	gateway := net.IPv4(169, 254, 1, 1)
	mac := net.HardwareAddr{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}
	if err := pod.NeighAdd(&netlink.Neigh{LinkIndex: eth0.Attrs().Index, State: netlink.NUD_PERMANENT, IP: gateway, HardwareAddr: mac}); err != nil {
		return err
	}
	if err := pod.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway, Flags: int(netlink.FLAG_ONLINK)}); err != nil {
		return err
	}
	outer, err := host.LinkByName(p.HostInterface)
	if err != nil {
		return err
	}
	return host.LinkSetUp(outer)
}
