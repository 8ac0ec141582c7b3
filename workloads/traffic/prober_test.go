//go:build linux

package traffic

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

const open, closed = 8080, 8081

var nodeIP = netip.MustParseAddr("10.0.0.1")

// world is plugged pods with routes and listeners.
type world struct {
	prober  *Prober
	plugger *netns.Plugger
	pods    []workloads.Plug
}

func newWorld(t testing.TB, count int) *world {
	t.Helper()
	descriptors := openDescriptors(t)
	w := &world{}
	t.Cleanup(func() {
		if now := openDescriptors(t); len(now) != len(descriptors) {
			t.Errorf("descriptors before:\n%s\nafter:\n%s", strings.Join(descriptors, "\n"), strings.Join(now, "\n"))
		}
	})
	var pods []netnstest.Pod
	w.plugger, pods = netnstest.Pods(t, count)
	var err error
	if w.prober, err = New(w.plugger, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.prober.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range pods {
		w.pods = append(w.pods, workloads.Plug{Pod: p.Key, HostInterface: p.Host, IPs: []netip.Addr{p.V4, p.V6}})
		if err := w.prober.Listen(p.Namespace, []uint16{open}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func openDescriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		// The poller's own descriptors stay once it was used.
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "anon_inode:") {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

func TestProbe(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.pods[0], w.pods[1]
	unknown := workloads.Key{Namespace: "ns", Name: "unknown"}
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
		flows := []Flow{
			{From: a.Pod, To: b.IPs[0], Port: open, Protocol: protocol},
			{From: b.Pod, To: a.IPs[0], Port: open, Protocol: protocol},
			{From: a.Pod, To: b.IPs[1], Port: open, Protocol: protocol},
			{From: b.Pod, To: a.IPs[1], Port: open, Protocol: protocol},
			{From: a.Pod, To: a.IPs[0], Port: open, Protocol: protocol},
			{From: workloads.Key{}, To: b.IPs[0], Port: open, Protocol: protocol},
			{From: a.Pod, To: b.IPs[0], Port: closed, Protocol: protocol},
			{From: a.Pod, To: b.IPs[1], Port: closed, Protocol: protocol},
			{From: unknown, To: b.IPs[0], Port: open, Protocol: protocol},
		}
		seen := []netip.Addr{a.IPs[0], b.IPs[0], a.IPs[1], b.IPs[1], a.IPs[0], nodeIP}
		results := w.prober.Probe(t.Context(), flows)
		for i, want := range seen {
			if r := results[i]; !r.Connected || r.SourceSeen != want || r.Err != nil || r.Took <= 0 {
				t.Errorf("%+v: got %+v, want source %s", flows[i], r, want)
			}
		}
		for i := 6; i < 8; i++ {
			if r := results[i]; r.Connected || !errors.Is(r.Err, ErrRefused) || errors.Is(r.Err, ErrDropped) {
				t.Errorf("%+v: got %+v, want a refusal", flows[i], r)
			}
		}
		if r := results[8]; r.Connected || !errors.Is(r.Err, os.ErrNotExist) {
			t.Errorf("unknown pod: %+v", r)
		}
	}
	if r := w.prober.Probe(t.Context(), []Flow{{From: a.Pod, To: b.IPs[0], Port: open, Protocol: corev1.ProtocolSCTP}})[0]; !errors.Is(r.Err, errors.ErrUnsupported) {
		t.Errorf("SCTP: %+v", r)
	}
}

func TestProbeDropped(t *testing.T) {
	w := newWorld(t, 2)
	blackhole(t, "10.128.0.0/16", "fd00::/64")
	a, b := w.pods[0], w.pods[1]
	for _, ip := range b.IPs {
		if err := netns.Unroute(ip, b.HostInterface); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range []struct {
		name string
		wait time.Duration
	}{{"marker", time.Hour}, {"clock", 50 * time.Millisecond}} {
		w.prober.wait = way.wait
		if m := w.prober.marker; way.name == "clock" {
			w.prober.marker = nil
			defer func() { w.prober.marker = m }()
		}
		flows := []Flow{
			{From: a.Pod, To: b.IPs[0], Port: open}, // dropped on the way there
			{From: b.Pod, To: a.IPs[0], Port: open}, // dropped on the way back
			{From: a.Pod, To: b.IPs[1], Port: open},
			{From: a.Pod, To: b.IPs[0], Port: open, Protocol: corev1.ProtocolUDP},
		}
		for i, r := range w.prober.Probe(t.Context(), flows) {
			if r.Connected || r.SourceSeen.IsValid() || !errors.Is(r.Err, ErrDropped) {
				t.Errorf("%s: %+v: got %+v, want a drop", way.name, flows[i], r)
			}
		}
		back := Flow{From: b.Pod, To: a.IPs[1], Port: open, Protocol: corev1.ProtocolUDP}
		if r := w.prober.Probe(t.Context(), []Flow{back})[0]; !r.Connected || r.SourceSeen != b.IPs[1] || !errors.Is(r.Err, ErrNoAnswer) {
			t.Errorf("%s: %+v: got %+v, want no answer", way.name, back, r)
		}
	}
	if late := w.prober.Late(); len(late) > 0 {
		t.Errorf("late: %v", late)
	}
}

// TestPatienceEndsAmidAStream wants flows whose packets may be held back to be given up though a stream's packets come all the time.
func TestPatienceEndsAmidAStream(t *testing.T) {
	w := newWorld(t, 2)
	drop(t, w.pods[0].IPs[0], w.pods[1].IPs[0])
	stream := newStream(t, w)
	if err := stream.Open(Flow{From: w.pods[1].Pod, To: w.pods[0].IPs[1], Port: open, Protocol: corev1.ProtocolUDP}, nil, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dropped := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open}
	if r := w.prober.ProbeSlow(ctx, []Flow{dropped}, 100*time.Millisecond)[0]; !errors.Is(r.Err, ErrDropped) {
		t.Errorf("got %+v, want a drop", r)
	}
	if _, err := stream.Stop(); err != nil {
		t.Error(err)
	}
}

func blackhole(t *testing.T, pools ...string) {
	t.Helper()
	for _, pool := range pools {
		undo, err := netns.Blackhole(netip.MustParsePrefix(pool))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := undo(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	w := newWorld(t, 2)
	blackhole(t, "10.99.0.0/16")
	flow := Flow{From: w.pods[0].Pod, To: netip.MustParseAddr("10.99.0.1"), Port: open}
	marker := w.prober.marker
	w.prober.wait, w.prober.marker = time.Minute, nil
	defer func() { w.prober.marker = marker }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 2 { // the second time ctx is done already
		r := w.prober.Probe(ctx, []Flow{flow})[0]
		if r.Connected || !errors.Is(r.Err, context.DeadlineExceeded) || r.Took > 30*time.Second {
			t.Errorf("got %+v", r)
		}
	}
}

func TestSourcePortsAreFresh(t *testing.T) {
	w := newWorld(t, 2)
	memory := w.prober.memory
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		flow := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: protocol}
		w.prober.ports[origin{w.pods[0].IPs[0], isUDP(flow)}] = &ports{last: 65533, lap: time.Now()}
		results := w.prober.Probe(t.Context(), slices.Repeat([]Flow{flow}, 4))
		for i, r := range results {
			if (r.Err == nil) != (i < 2) {
				t.Errorf("%s flow %d: %v", protocol, i, r.Err)
			}
		}
		w.prober.memory = 0
		if r := w.prober.Probe(t.Context(), []Flow{flow})[0]; r.Err != nil {
			t.Error(r.Err)
		}
		w.prober.memory = memory
	}
}

// TestListenLate has a pod listen on the very ports from which it keeps flows, and wants both the flows and new ones to that port to get through,
// and no flow to begin from it.
func TestListenLate(t *testing.T) {
	w := newWorld(t, 3)
	stream := newStream(t, w)
	self, peer, third := w.pods[0], w.pods[1], w.pods[2]
	const late = 7070
	begins := func(protocol corev1.Protocol) {
		w.prober.ports[origin{self.IPs[0], protocol == corev1.ProtocolUDP}] = &ports{last: late - 1}
	}
	kept := []Flow{{From: self.Pod, To: peer.IPs[0], Port: open, Protocol: corev1.ProtocolUDP}, {From: self.Pod, To: peer.IPs[0], Port: open, Protocol: corev1.ProtocolTCP}}
	for _, f := range kept {
		begins(f.Protocol)
	}
	talk, err := stream.Converse(t.Context(), kept, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	ns, _ := w.plugger.Namespace(self.Pod)
	if err := w.prober.Listen(ns, []uint16{late}); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		begins(protocol)
		for i, r := range w.prober.Probe(t.Context(), []Flow{
			{From: third.Pod, To: self.IPs[0], Port: late, Protocol: protocol}, {From: self.Pod, To: peer.IPs[0], Port: open, Protocol: protocol},
		}) {
			if r.Err != nil {
				t.Errorf("%s flow %d: %v", protocol, i, r.Err)
			}
		}
		if last := w.prober.ports[origin{self.IPs[0], protocol == corev1.ProtocolUDP}].last; last != late+1 {
			t.Errorf("%s began from %d", protocol, last)
		}
	}
	time.Sleep(10 * time.Millisecond)
	for i, said := range talk.End() {
		if len(said) == 0 || said[len(said)-1].Received.IsZero() {
			t.Errorf("%s: %d messages, the last unanswered", kept[i].Protocol, len(said))
		}
	}
	if _, err := stream.Stop(); err != nil {
		t.Error(err)
	}
}

// TestAddressOfAnother wants flows that are dropped to be known as such where the address had begun some from another pod: conntrack
// remembers those, and passes what comes from the same port.
func TestAddressOfAnother(t *testing.T) {
	w := newWorld(t, 2)
	nft(t, "table inet test { chain forward { type filter hook forward priority 0; ct state established accept; }; }")
	flows := func(from workloads.Plug) (all []Flow) {
		for _, to := range w.pods[1].IPs {
			for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
				all = append(all, Flow{From: from.Pod, To: to, Port: open, Protocol: protocol})
			}
		}
		return all
	}
	for i, r := range w.prober.Probe(t.Context(), flows(w.pods[0])) {
		if r.Err != nil {
			t.Fatalf("flow %d: %v", i, r.Err)
		}
	}
	ns, _ := w.plugger.Namespace(w.pods[0].Pod)
	if err := errors.Join(w.prober.Release(ns), w.plugger.Unplug(t.Context(), []workloads.Key{w.pods[0].Pod})); err != nil {
		t.Fatal(err)
	}
	heir := workloads.Plug{Pod: workloads.Key{Namespace: "ns", Name: "heir"}, HostInterface: "fvheir", IPs: w.pods[0].IPs}
	if err := w.plugger.Plug(t.Context(), []workloads.Plug{heir}); err != nil {
		t.Fatal(err)
	}
	for _, ip := range heir.IPs {
		if err := netns.Route(ip, heir.HostInterface); err != nil {
			t.Fatal(err)
		}
	}
	w.pods[0] = heir
	ns, _ = w.plugger.Namespace(heir.Pod)
	if err := w.prober.Listen(ns, []uint16{open}); err != nil {
		t.Fatal(err)
	}
	netnstest.AwaitCarrier(t, heir.IPs[0])
	nft(t, "add rule inet test forward drop")
	for i, r := range w.prober.Probe(t.Context(), flows(heir)) {
		if !errors.Is(r.Err, ErrDropped) {
			t.Errorf("flow %d: got %+v, want a drop", i, r)
		}
	}
}

func TestRelease(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.pods[0], w.pods[1]
	ns, _ := w.plugger.Namespace(b.Pod)
	if err := w.prober.Listen(ns, []uint16{closed, open}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("listen twice: %v", err)
	}
	blackhole(t, "10.99.0.0/16")
	held := Flow{From: b.Pod, To: netip.MustParseAddr("10.99.0.1"), Port: open}
	if r := w.prober.Probe(t.Context(), []Flow{held})[0]; !errors.Is(r.Err, ErrDropped) {
		t.Errorf("%+v: %+v", held, r)
	}
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	flows := []Flow{{From: a.Pod, To: b.IPs[0], Port: open}, {From: a.Pod, To: b.IPs[0], Port: closed}}
	for i, r := range w.prober.Probe(t.Context(), flows) {
		if !errors.Is(r.Err, ErrRefused) {
			t.Errorf("%+v: got %+v, want a refusal", flows[i], r)
		}
	}
	start := time.Now()
	if err := w.plugger.Unplug(t.Context(), []workloads.Key{b.Pod}); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > time.Minute/2 {
		t.Errorf("unplug took %s", took)
	}
}

// TestReleaseWhileAChildHoldsTheSockets does what a fork does: for a while a released socket is open in another process too.
func TestReleaseWhileAChildHoldsTheSockets(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.pods[0], w.pods[1]
	ns, _ := w.plugger.Namespace(b.Pod)
	for socket := range w.prober.receivers {
		held, err := unix.Dup(socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(held) })
	}
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} { // what arrives is nobody's
		w.prober.Probe(t.Context(), []Flow{{From: a.Pod, To: b.IPs[0], Port: open, Protocol: protocol}})
	}
	if err := w.prober.Err(); err != nil {
		t.Error(err)
	}
}

func TestClosedProber(t *testing.T) {
	w := newWorld(t, 1)
	if err := w.prober.Close(); err != nil {
		t.Error(err)
	}
	if r := w.prober.Probe(t.Context(), []Flow{{To: w.pods[0].IPs[0], Port: open}})[0]; !errors.Is(r.Err, os.ErrClosed) {
		t.Errorf("got %+v", r)
	}
	ns, _ := w.plugger.Namespace(w.pods[0].Pod)
	if err := w.prober.Listen(ns, []uint16{open}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("listen: %v", err)
	}
}
