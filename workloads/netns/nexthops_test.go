//go:build linux

package netns_test

import (
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/multipath"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

var anycast = netip.MustParseAddr("198.19.0.1")

// anycastPods plugs four pods that all have the address and say their number to who connects, and returns their hops.
func anycastPods(t *testing.T) []netns.Hop {
	t.Helper()
	_, pods := netnstest.Pods(t, 4)
	var hops []netns.Hop
	for i, p := range pods {
		if err := p.Do(func() error { return netns.AddAddress(anycast) }); err != nil {
			t.Fatal(err)
		}
		hops = append(hops, netns.Hop{Via: p.V4, Dev: p.Host})
		var c *net.UDPConn
		if err := p.Do(func() (err error) {
			c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: anycast.AsSlice(), Port: 9000})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			for {
				_, from, err := c.ReadFromUDP(make([]byte, 8))
				if err != nil {
					return
				}
				_, _ = c.WriteTo([]byte{byte(i)}, from)
			}
		}()
	}
	return hops
}

// answers says which pod answers each of the sockets.
func answers(t *testing.T, clients []*net.UDPConn) []int {
	t.Helper()
	answer := make([]byte, 8)
	var from []int
	for i, c := range clients {
		n := 0
		for tries := 0; n == 0 && tries < 5; tries++ {
			if _, err := c.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			n, _ = c.Read(answer)
		}
		if n == 0 {
			t.Fatalf("socket %d has no answer", i)
		}
		from = append(from, int(answer[0]))
	}
	return from
}

func dialAnycast(t *testing.T, count int) (clients []*net.UDPConn) {
	t.Helper()
	for range count {
		c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: anycast.AsSlice(), Port: 9000})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	return clients
}

// TestFlowsMoveAsPredicted changes a real route under flows, and compares each flow's way with what package multipath says of it.
func TestFlowsMoveAsPredicted(t *testing.T) {
	hops := anycastPods(t)
	number := map[netns.Hop]int{}
	for i, h := range hops {
		number[h] = i
	}
	m, err := netns.NewMultipath(anycast, hops, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	clients := dialAnycast(t, 1000)
	flows := make([]multipath.Flow[netns.Hop], len(clients))
	for i, hop := range answers(t, clients) {
		flows[i] = multipath.Begun(hops[hop], hops)
	}
	for _, route := range [][]netns.Hop{hops[:3], hops, {hops[0], hops[2], hops[3]}, {hops[3], hops[2], hops[1], hops[0]}} {
		if err := m.Set(route); err != nil {
			t.Fatal(err)
		}
		moved, expected, variance := 0, 0.0, 0.0
		for i, hop := range answers(t, clients) {
			p := flows[i].Moved(route)
			expected, variance = expected+p, variance+p*(1-p)
			if hops[hop] == flows[i].Hop {
				flows[i] = flows[i].Stayed(route)
			} else {
				flows[i] = multipath.Flow[netns.Hop]{Hop: hops[hop], Known: flows[i].Known.And(multipath.Of(hops[hop], route))}
				moved++
			}
			if flows[i].Known.N() == 0 {
				t.Fatalf("flow %d is led to hop %d by %v, where its hash can't be", i, hop, route)
			}
		}
		if math.Abs(float64(moved)-expected) > 5*math.Sqrt(variance)+1e-6 {
			t.Errorf("%d flows moved, %g expected (variance %g)", moved, expected, variance)
		}
	}
}

// TestResilientHopsKeepFlows wants flows of hops that stay to be moved neither when one goes nor when it is back, and a flow that is
// begun when it has been back for long to come to it.
func TestResilientHopsKeepFlows(t *testing.T) {
	hops := anycastPods(t)
	m, err := netns.NewMultipath(anycast, hops, &netns.Resilient{Buckets: 512, Idle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	clients := dialAnycast(t, 400)
	first := answers(t, clients)
	if err := m.Set(hops[:3]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // some ticks of the kernel's clock
	second := answers(t, clients)
	if err := m.Set(hops); err != nil {
		t.Fatal(err)
	}
	third := answers(t, clients)
	for i := range clients {
		if first[i] != 3 && second[i] != first[i] || second[i] == 3 || third[i] != second[i] {
			t.Errorf("flow %d goes to hop %d, then %d, then %d", i, first[i], second[i], third[i])
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}

// nothingLeft wants nothing to be there that a Multipath makes.
func nothingLeft(t *testing.T) {
	t.Helper()
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 3 {
		t.Errorf("rules: %v", rules)
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: netlink.NewIPNet(anycast.AsSlice()), Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil || len(routes) > 0 {
		t.Errorf("routes: %v, %v", routes, err)
	}
	policy, err := os.ReadFile("/proc/sys/net/ipv4/fib_multipath_hash_policy")
	if got := strings.TrimSpace(string(policy)); err != nil || got != "0" {
		t.Errorf("hash policy %s, %v", got, err)
	}
}
