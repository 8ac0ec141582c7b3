package driver

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// TestOwnConnectionsStayOut cuts the agent's way to the API server: the driver's own connections there live on, and are not counted.
func TestOwnConnectionsStayOut(t *testing.T) {
	w, server := nodeWire(t)
	dial := func() error {
		c, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).Dial("tcp", server.String())
		if err == nil {
			err = c.Close()
		}
		return err
	}
	own, err := netns.Dial(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if err := dial(); err != nil {
		t.Fatalf("before anything is impaired: %v", err)
	}
	if _, err := w.obey(infra.ImpairOrder{Do: "set", Pod: infra.API, Both: true, Asked: json.RawMessage(`{"loss":{"share":1}}`)}); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err == nil {
		t.Error("the agent reaches the API server, though all is lost")
	}
	report := shown(t, w, infra.API)
	out, in := report.Impairments[0], report.Impairments[1]
	if out.Name != "api-out" || in.Name != "api-in" || out.Counters.Lost == 0 || out.Counters.Lost != out.Counters.Packets {
		t.Errorf("what the agent sends: %+v", report)
	}
	before := out.Counters.Packets
	if _, err := own.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	again, err := netns.Dial(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatalf("our own way to the API server is cut as well: %v", err)
	}
	defer again.Close()
	if after := shown(t, w, infra.API).Impairments[0].Counters.Packets; after != before {
		t.Errorf("%d packets of our own are counted", after-before)
	}
	if _, err := w.obey(infra.ImpairOrder{Do: "clear", Pod: infra.API}); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err != nil {
		t.Errorf("once it is cleared: %v", err)
	}
}

// TestUplink impairs the node's link to pods of other nodes as well, whose lost packets are then nobody's fault.
func TestUplink(t *testing.T) {
	w, _ := nodeWire(t)
	reports, err := w.obey(infra.ImpairOrder{Do: "set", Pod: infra.Uplink, Asked: json.RawMessage(`{"loss":{"share":0.1}}`)})
	if err != nil || len(reports) != 2 || reports[0].Pod != uplink.Pod.String() || reports[1].Pod != infra.Uplink {
		t.Fatalf("%+v, %v", reports, err)
	}
	if len(w.bad) == 0 || w.bad[0].pod != uplink.Pod || !w.bad[0].to.IsZero() {
		t.Errorf("noted: %+v", w.bad)
	}
	before, err := node{}.Links()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.links[uplink.Pod].Set(impair.Impairment{Name: "slow", Quality: impair.Quality{Delay: time.Millisecond}}); err != nil {
		t.Fatal(err)
	}
	if after, err := (node{}).Links(); err != nil || !slices.Equal(before, after) {
		t.Errorf("a link that is impaired leaves %v, before it was %v: %v", after, before, err)
	}
	if _, err := w.obey(infra.ImpairOrder{Do: "set", Pod: "node", Asked: json.RawMessage(`{}`)}); err == nil || !strings.Contains(err.Error(), "no pod") {
		t.Errorf("a pod named node: %v", err)
	}
}

// nodeWire is a wire of a node whose uplink is its loopback interface, where a server stands for the API server.
func nodeWire(t *testing.T) (*Wire, netip.AddrPort) {
	t.Helper()
	plugger, _ := netnstest.Pods(t, 1)
	prober, err := traffic.New(plugger, 0)
	if err != nil {
		t.Fatal(err)
	}
	fabric, err := uplink.Open(t.Context(), plugger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := listener.Addr().(*net.TCPAddr).AddrPort()
	w := &Wire{
		plugger: plugger, prober: prober, fabric: fabric, addr: server.Addr(), api: server,
		plugs: map[workloads.Key]workloads.Plug{}, links: map[workloads.Key]*impair.Link{},
	}
	t.Cleanup(func() {
		for _, err := range []error{w.mendAll(), listener.Close(), prober.Close(), fabric.Close(context.WithoutCancel(t.Context()))} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return w, server
}

// shown is what is in force on a link.
func shown(t *testing.T, w *Wire, link string) LinkReport {
	t.Helper()
	reports, err := w.obey(infra.ImpairOrder{Do: "show", Pod: link})
	if err != nil || len(reports) != 1 {
		t.Fatalf("%+v, %v", reports, err)
	}
	return reports[0]
}
