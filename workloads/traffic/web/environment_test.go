//go:build linux

package web_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

// TestEnvironmentNamesWhatLacks wants a load that needs more than there is to be told how to mend it, and a queue that overflows to be counted.
func TestEnvironmentNamesWhatLacks(t *testing.T) {
	plugger, _ := netnstest.Pods(t, 1)
	client, err := web.NewClient(plugger)
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	l := requests.Load{To: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:9")}, Connections: 100_000, ConnectRate: 1e6}
	before, err := client.Environment(&l)
	must(t, err)
	found := false
	for _, s := range before.Settings {
		if s.Name == "net.ipv4.ip_local_port_range" {
			found = s.Needs == 100_000 && s.Lacks() && strings.Contains(s.Command, "sysctl -w ")
		}
	}
	if !found {
		t.Errorf("100,000 connections to one port: %+v", before.Settings)
	}
	// A socket whose queue has room for one, and that nobody takes connections from.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrInet4{Port: 9007, Addr: [4]byte{10, 0, 0, 1}}))
	must(t, unix.Listen(fd, 1))
	for range 6 {
		if c, err := net.DialTimeout("tcp4", "10.0.0.1:9007", 50*time.Millisecond); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	after, err := client.Environment(&l)
	must(t, err)
	if after.Counters["ListenOverflows"] <= before.Counters["ListenOverflows"] {
		t.Errorf("a full queue: %v, before %v", after.Counters, before.Counters)
	}
}
