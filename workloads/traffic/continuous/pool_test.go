//go:build linux

package continuous

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// TestServerIsRetired wants the connections of a server that goes, and no others, to be begun again elsewhere, none of them to it, and
// some to come to it once it is back.
func TestServerIsRetired(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 4)
	s := load.Spec{Connections: 30, Rate: 1500, Reconnects: 5, ReconnectWait: 10 * time.Millisecond, Elsewhere: true, Seed: 1}
	for _, p := range pods[1:] {
		s.Pairs = append(s.Pairs, load.Pair{From: pods[0].Key, To: netip.AddrPortFrom(p.V4, port)})
		s.Servers = append(s.Servers, p.Key)
	}
	l, err := Start(t.Context(), plugger, s)
	must(t, err)
	const settle = 500 * time.Millisecond
	turn := func(server int) (went, back time.Time) {
		time.Sleep(settle)
		went = time.Now()
		must(t, l.Retire(pods[server].Key, pods[server].V4))
		time.Sleep(settle)
		back = time.Now()
		must(t, l.Serve(pods[server].Key, pods[server].V4))
		return went, back
	}
	went, back := turn(1)
	second, _ := turn(2)
	time.Sleep(settle)
	if err := l.Retire(workloads.Key{Name: "nobody"}); err == nil {
		t.Error("a server that is none was retired")
	}
	r, err := l.Stop()
	must(t, err)
	if err := l.Retire(pods[1].Key); err == nil {
		t.Error("a server of traffic that is over was retired")
	}
	lost, returned := 0, 0
	for _, c := range r.Connections {
		switch {
		case c.Server == nil:
			t.Errorf("nobody answered %+v", c)
		case c.Cause != load.Done && c.Ended.Before(back):
			if lost++; *c.Server != pods[1].Key {
				t.Errorf("one of another server was lost: %+v", c)
			}
		case *c.Server == pods[1].Key && c.Begun.After(went) && c.Begun.Before(back):
			t.Errorf("one was begun to the server that was away: %+v", c)
		case *c.Server == pods[1].Key && c.Begun.After(second):
			returned++
		}
	}
	if lost != 10 || returned == 0 || r.Failed() <= 10 {
		t.Errorf("%d were lost, %d came to the server once it was back, %d failed in all", lost, returned, r.Failed())
	}
	if !slices.ContainsFunc(r.Connections, func(c load.Connection) bool { return c.Cause == load.PeerClosed }) {
		t.Errorf("none was closed in order:\n%s", r)
	}
}
