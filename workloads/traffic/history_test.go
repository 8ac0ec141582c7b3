//go:build linux

package traffic

import (
	"errors"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
)

// TestLateArrival lets packets arrive after their flows were judged dropped: the kernel holds them back while it asks for the address
// of the other end, which does not answer.
func TestLateArrival(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.pods[0], w.pods[1]
	link, err := netlink.LinkByName(b.HostInterface)
	if err != nil {
		t.Fatal(err)
	}
	nobody := &netlink.Neigh{LinkIndex: link.Attrs().Index, IP: b.IPs[0].AsSlice(), State: netlink.NUD_INCOMPLETE}
	known, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil || len(known) != 1 {
		t.Fatalf("neighbours: %v, %v", known, err)
	}
	if err := netlink.NeighDel(nobody); err != nil {
		t.Fatal(err)
	}
	ns, _ := w.plugger.Namespace(b.Pod)
	err = ns.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("8"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	flows := []Flow{{From: a.Pod, To: b.IPs[0], Port: open}, {From: a.Pod, To: b.IPs[0], Port: open, Protocol: corev1.ProtocolUDP}}
	for i, r := range w.prober.Probe(t.Context(), flows) {
		if !errors.Is(r.Err, ErrDropped) {
			t.Fatalf("%+v: got %+v", flows[i], r)
		}
	}
	known[0].State = netlink.NUD_PERMANENT
	if err := netlink.NeighSet(&known[0]); err != nil { // lets the packets go
		t.Fatal(err)
	}
	blackhole(t, "10.128.0.0/16")
	if err := netns.Unroute(b.IPs[0], b.HostInterface); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{ErrLate, ErrDropped} {
		for i, r := range w.prober.Probe(t.Context(), flows) {
			if !errors.Is(r.Err, want) {
				t.Errorf("%+v: got %+v, want %v", flows[i], r, want)
			}
		}
	}
}
