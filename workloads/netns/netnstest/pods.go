//go:build linux

// Package netnstest makes namespaces for tests: a node that forwards, and pods that reach each other through it.
package netnstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

// Pod is a plugged pod.
type Pod struct {
	Key  workloads.Key
	V4   netip.Addr
	V6   netip.Addr
	Host string // its interface on the node
	*netns.Namespace
}

// Pods plugs so many pods, each of which reaches each other, into a node of their own, until the test ends. The test's
// goroutine is on the node from then on, as Node says.
func Pods(t testing.TB, count int) (*netns.Plugger, []Pod) {
	t.Helper()
	Node(t)
	plugger, err := netns.New()
	must(t, err)
	t.Cleanup(func() { must(t, plugger.Close()) })
	var pods []Pod
	var plugs []workloads.Plug
	for i := range count {
		p := Pod{
			Key:  workloads.Key{Namespace: "ns", Name: fmt.Sprint("pod-", i)},
			V4:   netip.AddrFrom4([4]byte{10, 128, byte(i >> 8), byte(i + 1)}),
			V6:   netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i + 1)}),
			Host: fmt.Sprint("fv", i),
		}
		pods, plugs = append(pods, p), append(plugs, workloads.Plug{Pod: p.Key, HostInterface: p.Host, IPs: []netip.Addr{p.V4, p.V6}})
	}
	must(t, plugger.Plug(t.Context(), plugs))
	for i := range pods {
		p := &pods[i]
		p.Namespace, _ = plugger.Namespace(p.Key)
		must(t, errors.Join(netns.Route(p.V4, p.Host), netns.Route(p.V6, p.Host)))
		AwaitCarrier(t, p.V4)
	}
	return plugger, pods
}

// Node moves the test's goroutine to a node of its own: a network namespace that forwards and has the address 10.0.0.1. It is not
// brought back: its thread dies with it, and the namespace with that. The test is skipped without root, or fails if FV_REQUIRE
// says root.
func Node(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		Lacks(t, "root", err)
	}
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	must(t, netlink.AddrAdd(lo, &netlink.Addr{IPNet: netlink.NewIPNet(net.IPv4(10, 0, 0, 1))}))
	for _, file := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		must(t, os.WriteFile("/proc/sys/net/"+file, []byte("1"), 0))
	}
}

// Lacks skips the test for want of something that the root tier has, or fails it if FV_REQUIRE says root.
func Lacks(t testing.TB, what string, err error) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "root") {
		t.Fatalf("the root tier is required and cannot run: %v", err)
	}
	t.Skipf("needs %s: %v", what, err)
}

// AwaitCarrier waits until packets pass the veth of the pod that has the address: the kernel takes a new carrier up by itself, up
// to a second later when links change elsewhere on the machine, and drops packets until then.
func AwaitCarrier(t testing.TB, pod netip.Addr) {
	t.Helper()
	err := lifecycle.Wait(t.Context(), "veth of "+pod.String(), 10*time.Second, func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext(ctx, "tcp", netip.AddrPortFrom(pod, 9).String())
		if err == nil {
			return c.Close()
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		return err
	})
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
