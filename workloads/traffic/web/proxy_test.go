//go:build linux

package web_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

// TestBareProxy wants a load through HAProxy to reach all backends, idle connections to stand, and nothing of the proxy to be left.
func TestBareProxy(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	backends, _ := serving(t, plugger, pods, web.Serving{})
	node, err := netns.Current()
	must(t, err)
	defer node.Close()
	var to []netip.AddrPort
	for _, p := range pods {
		to = append(to, netip.AddrPortFrom(p.V4, port))
	}
	proxy, err := web.StartProxy(t.Context(), node, 18080, 1, to)
	if err != nil {
		t.Skip(err)
	}
	r, err := web.Press(t.Context(), plugger, requests.Load{To: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:18080")}, Mix: []requests.Ask{{Host: "a.example"}},
		Connections: 8, Idle: 50, Rate: 200, Size: 22_000, Duration: time.Second})
	must(t, err)
	if r.Count.Right != 200 || r.IdleStood != 50 || r.IdleLost != 0 {
		t.Errorf("%s", r)
	}
	for k, s := range backends.All() {
		if s.Requests < 50 {
			t.Errorf("%s served %d", k, s.Requests)
		}
	}
	must(t, proxy.Stop())
}
