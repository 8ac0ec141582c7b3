//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
)

func plugs(n int) []workloads.Plug {
	out := make([]workloads.Plug, n)
	for i := range out {
		out[i] = workloads.Plug{
			Pod:           workloads.Key{Namespace: "ns", Name: fmt.Sprintf("pod-%d", i)},
			HostInterface: fmt.Sprintf("fv%09d", i),
			IPs: []netip.Addr{
				netip.AddrFrom4([4]byte{10, 128, byte(i >> 8), byte(i)}),
				netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}),
			},
		}
	}
	return out
}

func keys(pods []workloads.Plug) []workloads.Key {
	out := make([]workloads.Key, len(pods))
	for i, p := range pods {
		out[i] = p.Pod
	}
	return out
}

func newPlugger(t testing.TB) *Plugger {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPlugUnplug(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p := newPlugger(t)
	pods := plugs(50)
	pods[49].IPs = pods[49].IPs[:1]
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	links, err := Links()
	if err != nil || len(links) != 51 {
		t.Fatalf("links %v, error %v", links, err)
	}
	home := identity(t)
	for _, pod := range pods {
		checkHost(t, pod)
		ns, ok := p.Namespace(pod.Pod)
		if !ok {
			t.Fatalf("%s has no namespace", pod.Pod)
		}
		err := ns.Do(func() error {
			if identity(t) == home {
				return errors.New("Do did not leave home")
			}
			return checkPod(pod)
		})
		if err != nil {
			t.Fatalf("%s: %v", pod.Pod, err)
		}
	}
	if err := p.Plug(t.Context(), pods[:1]); !errors.Is(err, os.ErrExist) {
		t.Errorf("second plug: %v", err)
	}
	unknown := workloads.Key{Namespace: "ns", Name: "unknown"}
	if err := p.Unplug(t.Context(), append(keys(pods[:25]), unknown)); err != nil {
		t.Fatal(err)
	}
	if links, _ := Links(); len(links) != 26 {
		t.Errorf("%d links are left of 26", len(links))
	}
	if err := p.Plug(t.Context(), pods[:25]); err != nil {
		t.Errorf("plug again: %v", err)
	}
}

func checkHost(t *testing.T, pod workloads.Plug) {
	t.Helper()
	link, err := netlink.LinkByName(pod.HostInterface)
	if err != nil {
		t.Fatal(err)
	}
	attrs := link.Attrs()
	if attrs.HardwareAddr.String() != hostMAC.String() || attrs.Flags&net.FlagUp == 0 || attrs.OperState != netlink.OperUp {
		t.Errorf("%s: MAC %s, flags %s, %s", attrs.Name, attrs.HardwareAddr, attrs.Flags, attrs.OperState)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	if hasIPv6(pod.IPs) {
		want = 1
	}
	if len(addrs) != want || (want == 1 && (addrs[0].IP.String() != gateway6.String() || addrs[0].Flags&unix.IFA_F_TENTATIVE != 0)) {
		t.Errorf("%s: addresses %v", attrs.Name, addrs)
	}
}

// checkPod looks at the current namespace.
func checkPod(pod workloads.Plug) error {
	link, err := netlink.LinkByName(podInterface)
	if err != nil {
		return err
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	var got []string
	for _, a := range addrs {
		if a.Flags&unix.IFA_F_TENTATIVE != 0 {
			return fmt.Errorf("%s is tentative", a.IPNet)
		}
		got = append(got, a.IPNet.String())
	}
	want := make([]string, len(pod.IPs))
	for i, ip := range pod.IPs {
		want[i] = netip.PrefixFrom(ip, ip.BitLen()).String()
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("addresses %v, want %v", got, want)
	}
	for _, ip := range pod.IPs {
		gateway, far := gateway4, net.IP{8, 8, 8, 8}
		if ip.Is6() {
			gateway, far = gateway6, net.ParseIP("2001:db8::1")
		}
		routes, err := netlink.RouteGet(far)
		if err != nil || len(routes) != 1 || routes[0].Gw.String() != gateway.String() || routes[0].Src.String() != ip.String() {
			return fmt.Errorf("route %v, error %v", routes, err)
		}
		neighbours, err := netlink.NeighList(link.Attrs().Index, family(ip))
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(neighbours, func(n netlink.Neigh) bool {
			return n.IP.String() == gateway.String() && n.HardwareAddr.String() == hostMAC.String() && n.State == unix.NUD_PERMANENT
		}) {
			return fmt.Errorf("neighbours %v", neighbours)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil && lo.Attrs().Flags&net.FlagUp == 0 {
		err = errors.New("lo is down")
	}
	return err
}

func TestFailedPlugIsUndone(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p := newPlugger(t)
	pods := plugs(3)
	pods[1].HostInterface = pods[0].HostInterface // exists by then, and is not ours to delete
	for _, pod := range []workloads.Plug{pods[0], pods[2]} {
		if err := p.Plug(t.Context(), []workloads.Plug{pod}); err != nil {
			t.Fatal(err)
		}
	}
	before := openDescriptors(t)
	if err := p.Plug(t.Context(), pods[1:2]); !errors.Is(err, unix.EEXIST) {
		t.Errorf("taken interface name: %v", err)
	}
	bad := plugs(5)[4]
	bad.IPs = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("ff02::1")} // fails after the veth is made
	if err := p.Plug(t.Context(), []workloads.Plug{bad}); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("multicast address: %v", err)
	}
	if links, _ := Links(); !slices.Equal(links, []string{pods[0].HostInterface, pods[2].HostInterface, "lo"}) {
		t.Errorf("links %v", links)
	}
	if after := openDescriptors(t); len(after) != len(before) {
		t.Errorf("%d descriptors, %d before", len(after), len(before))
	}
	bad.IPs = bad.IPs[:1]
	if err := p.Plug(t.Context(), []workloads.Plug{bad}); err != nil {
		t.Errorf("plug after a failure: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Plug(ctx, plugs(7)[5:]); !errors.Is(err, context.Canceled) {
		t.Errorf("plug with a cancelled context: %v", err)
	}
}

func TestPlugWhereIPv6IsDisabled(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	for _, name := range []string{"all", "default"} {
		if err := os.WriteFile(ipv6Sysctls+"/"+name+"/disable_ipv6", []byte("1"), 0); err != nil {
			t.Skipf("needs writable sysctls: %v", err)
		}
	}
	p := newPlugger(t)
	pods := plugs(2)
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods {
		checkHost(t, pod)
		ns, _ := p.Namespace(pod.Pod)
		if err := ns.Do(func() error { return checkPod(pod) }); err != nil {
			t.Error(err)
		}
	}
}

func TestUnplugOfANamespaceInUse(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p := newPlugger(t)
	pods := plugs(2)
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	ns, _ := p.Namespace(pods[0].Pod)
	var holding *conn
	if err := ns.Do(func() (err error) { holding, err = dial(); return err }); err != nil {
		t.Fatal(err)
	}
	defer holding.close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Unplug(ctx, keys(pods)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("bounded unplug: %v", err)
	}
	if err := p.Unplug(t.Context(), keys(pods)); err != nil {
		t.Error(err)
	}
	if links, _ := Links(); len(links) != 1 {
		t.Errorf("links %v", links)
	}
}

func TestLinksThatWentBeforeUnplug(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p := newPlugger(t)
	pods := plugs(2)
	if err := p.Plug(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.do(deleteLink(pods[0].HostInterface)); err != nil {
		t.Fatal(err)
	}
	if err := p.Unplug(t.Context(), keys(pods)); err != nil {
		t.Error(err)
	}
}

func BenchmarkPlug(b *testing.B) {
	enterFresh(b)
	p := newPlugger(b)
	pods := plugs(1000)
	var plug, unplug time.Duration
	for b.Loop() {
		start := time.Now()
		if err := p.Plug(b.Context(), pods); err != nil {
			b.Fatal(err)
		}
		plugged := time.Now()
		if err := p.Unplug(b.Context(), keys(pods)); err != nil {
			b.Fatal(err)
		}
		plug, unplug = plug+plugged.Sub(start), unplug+time.Since(plugged)
	}
	b.ReportMetric(float64(len(pods)*b.N)/plug.Seconds(), "plugs/s")
	b.ReportMetric(float64(len(pods)*b.N)/unplug.Seconds(), "unplugs/s")
}
