//go:build linux

package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics"
)

// TestStream wants the record to say of each datagram whether it arrived, and that the one rule that is made meanwhile drops all from some
// datagram on, while flows are tried as well.
func TestStream(t *testing.T) {
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		t.Run(string(protocol), func(t *testing.T) { testStream(t, protocol) })
	}
}

func testStream(t *testing.T, protocol corev1.Protocol) {
	w := newWorld(t, 3)
	flow := func(i, j int) Flow {
		return Flow{From: w.pods[i].Pod, To: w.pods[j].IPs[0], Port: open, Protocol: protocol}
	}
	drop(t, w.pods[0].IPs[0], w.pods[2].IPs[0])
	stream := newStream(t, w)
	passes, stays, cut := flow(0, 1), flow(0, 2), flow(1, 2)
	for _, f := range []Flow{passes, stays, cut, cut} { // the last is open already
		if err := stream.Open(f, nil, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if r := w.prober.Probe(t.Context(), []Flow{flow(2, 1)})[0]; r.Err != nil {
			t.Error(r.Err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	taken := stream.Take()
	before := time.Now()
	drop(t, w.pods[1].IPs[0], w.pods[2].IPs[0])
	after := time.Now()
	time.Sleep(100 * time.Millisecond)
	rest, err := stream.Stop()
	if err != nil {
		t.Fatal(err)
	}
	last, count := map[Flow]time.Time{}, map[Flow]int{}
	for _, d := range append(taken, rest...) {
		arrived := !d.Received.IsZero()
		switch {
		case d.Err != nil, d.Late < 0, !d.Sent.After(last[d.Flow]), d.Gone.Before(d.Sent):
			t.Fatalf("%+v after %v", d, last[d.Flow])
		case d.Flow == passes && !arrived, d.Flow == stays && arrived, d.Flow == cut && arrived && d.Sent.After(after), d.Flow == cut && !arrived && d.Sent.Before(before.Add(-time.Second)):
			t.Fatalf("%+v; the rule was made between %v and %v", d, before, after)
		case arrived && (d.Received.Before(d.Sent.Add(-time.Millisecond)) || d.Received.After(d.Sent.Add(10*time.Second))):
			t.Fatalf("%+v was received too early or late", d)
		}
		last[d.Flow] = d.Sent
		count[d.Flow]++
	}
	if count[passes] == 0 || count[stays] == 0 || !last[cut].After(after) {
		t.Errorf("sent %v", count)
	}
}

// TestAttemptsEnd wants no verdict of handshakes that nobody can answer: those that are refused, and those whose sender goes.
func TestAttemptsEnd(t *testing.T) {
	w := newWorld(t, 3)
	stream := newStream(t, w)
	refused := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open + 1, Protocol: corev1.ProtocolTCP}
	goes := Flow{From: w.pods[2].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolTCP}
	drop(t, w.pods[2].IPs[0], w.pods[1].IPs[0])
	for _, f := range []Flow{refused, goes} {
		if err := stream.Open(f, nil, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	awaitSent(t, stream)
	ns, _ := w.plugger.Namespace(goes.From)
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	rest, err := stream.Stop()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[Flow]error{refused: unix.ECONNREFUSED, goes: os.ErrClosed}
	for _, d := range rest {
		if !errors.Is(d.Err, ends[d.Flow]) {
			t.Errorf("%+v, want %v", d, ends[d.Flow])
		}
	}
	if len(rest) < 2 {
		t.Errorf("%d packets", len(rest))
	}
}

// awaitSent waits until something was sent on each open flow.
func awaitSent(t *testing.T, s *Stream) {
	t.Helper()
	err := lifecycle.Wait(t.Context(), "a packet of each flow", 10*time.Second, func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for f, t := range s.tracks {
			if t.first == 0 && len(t.sent) == 0 {
				return fmt.Errorf("nothing was sent on %+v", f)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

const certain = 300 * time.Millisecond

func newStream(t testing.TB, w *world) *Stream {
	t.Helper()
	s, err := w.prober.Stream(certain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStreamEndsWithItsNamespace(t *testing.T) {
	w := newWorld(t, 3)
	stream := newStream(t, w)
	goes := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	stays := Flow{From: w.pods[2].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	for _, f := range []Flow{goes, stays} {
		if err := stream.Open(f, nil, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	ns, _ := w.plugger.Namespace(goes.From)
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	released := time.Now()
	awaitSent(t, stream)
	if err := stream.Open(stays, "again", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	awaitSent(t, stream)
	stream.Close(stays)
	stream.Close(stays) // no error
	rest, err := stream.Stop()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for _, d := range rest {
		if d.Flow == stays {
			seen[d.Tag] = true
		}
		if d.Flow == goes && d.Sent.After(released) {
			t.Errorf("%+v was sent after the release", d)
		}
	}
	if !seen[nil] || !seen["again"] || len(stream.tokens) > 0 {
		t.Errorf("seen: %v, left: %v", seen, stream.tokens)
	}
}

// TestStreamLeavesNamespaces wants no thread to stay where the last handshake came from: the namespace would outlive its release.
func TestStreamLeavesNamespaces(t *testing.T) {
	w := newWorld(t, 2)
	stream := newStream(t, w)
	if err := stream.Open(Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolTCP}, nil, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	awaitSent(t, stream)
	ns, _ := w.plugger.Namespace(w.pods[0].Pod)
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	var link string
	err := ns.Do(func() (err error) {
		link, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(threads) == 0 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		if is, err := os.Readlink(thread); err == nil && is == link {
			t.Errorf("%s is in the pod's namespace", thread)
		}
	}
	if rest, err := stream.Stop(); err != nil || len(rest) == 0 {
		t.Errorf("%d packets, %v", len(rest), err)
	}
}

// TestFailedProberHoldsNothing wants a Stream whose Prober has failed to give no verdict, and not to keep what it sends for ever.
func TestFailedProberHoldsNothing(t *testing.T) {
	w := newWorld(t, 3)
	stream := newStream(t, w)
	drop(t, w.pods[0].IPs[0], w.pods[2].IPs[0])
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		if err := stream.Open(Flow{From: w.pods[0].Pod, To: w.pods[2].IPs[0], Port: open, Protocol: protocol}, nil, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	awaitSent(t, stream)
	w.prober.mu.Lock()
	w.prober.fail(errors.New("made up"))
	w.prober.mu.Unlock()
	rest, err := stream.Stop()
	if err == nil || len(rest) > 0 || len(stream.tokens) > 0 {
		t.Errorf("%v: %d packets are told, %d flows are left", err, len(rest), len(stream.tokens))
	}
	w.prober.mu.Lock()
	w.prober.failure = nil
	w.prober.mu.Unlock()
}

func TestImpossibleStreams(t *testing.T) {
	w := newWorld(t, 2)
	stream := newStream(t, w)
	if again, err := w.prober.Stream(certain); err == nil {
		t.Errorf("two streams: %v", again)
	}
	good := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	sctp, unknown := good, good
	sctp.Protocol, unknown.From.Name = corev1.ProtocolSCTP, "unknown"
	for name, f := range map[string]Flow{"sctp": sctp, "unknown": unknown} {
		if err := stream.Open(f, nil, time.Millisecond); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if err := stream.Open(good, nil, 0); err == nil {
		t.Error("a flow without interval was opened")
	}
	if rest, err := stream.Stop(); err != nil || len(rest) > 0 {
		t.Errorf("%v, %v", rest, err)
	}
}

// BenchmarkStream sends on 50 flows, a datagram each millisecond by UDP, a handshake each 20 ms by TCP, and says how late that was and what
// it cost this process, in which the kernel forwards and receives the packets as well.
func BenchmarkStream(b *testing.B) {
	for protocol, interval := range map[corev1.Protocol]time.Duration{corev1.ProtocolUDP: time.Millisecond, corev1.ProtocolTCP: 20 * time.Millisecond} {
		b.Run(string(protocol), func(b *testing.B) { benchmarkStream(b, protocol, interval) })
	}
}

func benchmarkStream(b *testing.B, protocol corev1.Protocol, interval time.Duration) {
	w := newWorld(b, 10)
	var flows []Flow
	for i := range 50 {
		from, to := w.pods[i%10], w.pods[(i+1+i/10)%10]
		flows = append(flows, Flow{From: from.Pod, To: to.IPs[0], Port: open, Protocol: protocol})
	}
	drop(b, w.pods[0].IPs[0], w.pods[1].IPs[0])
	var lateness []time.Duration
	var cpu, wall time.Duration
	received := 0
	for b.Loop() {
		began, used := time.Now(), cpuTime(b)
		stream := newStream(b, w)
		for _, f := range flows {
			if err := stream.Open(f, nil, interval); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		cpu, wall = cpu+cpuTime(b)-used, wall+time.Since(began)
		datagrams, err := stream.Stop()
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range datagrams {
			lateness = append(lateness, d.Late)
			if !d.Received.IsZero() {
				received++
			}
		}
	}
	b.ReportMetric(1e6*metrics.Quantile(lateness, 0.5).Seconds(), "µs-late-P50")
	b.ReportMetric(1e6*metrics.Quantile(lateness, 0.99).Seconds(), "µs-late-P99")
	b.ReportMetric(100*cpu.Seconds()/wall.Seconds(), "%CPU")
	b.ReportMetric(float64(cpu.Microseconds())/float64(len(lateness)), "µs-CPU/packet")
	b.ReportMetric(float64(len(lateness))/wall.Seconds()/float64(len(flows)), "sent/s/flow")
	b.ReportMetric(100*float64(received)/float64(len(lateness)), "%received")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(syscall.TimevalToNsec(syscall.Timeval(u.Utime)) + syscall.TimevalToNsec(syscall.Timeval(u.Stime)))
}

// TestStreamSettles wants each datagram's fate to be certain at once, though a stream would wait an hour for it, and to be the right one.
func TestStreamSettles(t *testing.T) {
	w := newWorld(t, 3)
	drop(t, w.pods[0].IPs[0], w.pods[2].IPs[0])
	stream, err := w.prober.Stream(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	flow := func(to netip.Addr) Flow {
		return Flow{From: w.pods[0].Pod, To: to, Port: open, Protocol: corev1.ProtocolUDP}
	}
	stays := flow(w.pods[2].IPs[0])
	count, asked := map[Flow]int{flow(w.pods[1].IPs[0]): 0, flow(w.pods[1].IPs[1]): 0, stays: 0}, time.Time{}
	for f := range count {
		if err := stream.Open(f, nil, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		time.Sleep(5 * time.Millisecond)
		before := asked.Add(-time.Millisecond) // the stream's clock is another
		asked = time.Now()
		if err := stream.Drain(); err != nil {
			t.Fatal(err)
		}
		for _, d := range stream.Take() {
			if arrived := !d.Received.IsZero(); d.Err != nil || arrived != (d.Flow != stays) {
				t.Errorf("%+v", d)
			}
			if d.Sent.Before(before) {
				t.Errorf("sent %v before it was last asked for, and not told then", before.Sub(d.Sent))
			}
			count[d.Flow]++
		}
	}
	if rest, err := stream.Stop(); err != nil {
		t.Errorf("%v; %d left", err, len(rest))
	}
	for f, n := range count {
		if n == 0 {
			t.Errorf("nothing is known of %+v", f)
		}
	}
}

// TestOverflowIsNoVerdict wants a prober whose sockets lost what had arrived to fail, and not to call that dropped.
func TestOverflowIsNoVerdict(t *testing.T) {
	w := newWorld(t, 2)
	f := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	for socket, r := range w.prober.receivers {
		if kind, err := unix.GetsockoptInt(r.socket, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_DGRAM {
			continue
		}
		if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
			t.Fatal(err)
		}
	}
	stream := newStream(t, w)
	w.prober.mu.Lock() // nobody takes them
	err := func() error {
		defer w.prober.mu.Unlock()
		for range 50 {
			ns, _ := w.prober.pods.Namespace(f.From)
			if err := ns.Do(func() error { return sendDatagrams(f, 5) }); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		t.Fatal(err)
	}
	if r := w.prober.Probe(t.Context(), []Flow{f})[0]; errors.Is(r.Err, ErrDropped) {
		t.Errorf("got %v", r.Err)
	}
	if err := w.prober.Err(); err == nil || !strings.Contains(err.Error(), "too busy") {
		t.Errorf("got %v", err)
	}
	if rest, err := stream.Stop(); len(rest) > 0 || err == nil {
		t.Errorf("the stream tells of %d datagrams, with %v", len(rest), err)
	}
	w.prober.failure = nil
}

// sendDatagrams sends a stream's datagrams of nobody's.
func sendDatagrams(f Flow, n int) error {
	c, err := net.Dial("udp", netip.AddrPortFrom(f.To, f.Port).String())
	if err != nil {
		return err
	}
	defer c.Close()
	for range n {
		if _, err := c.Write(make([]byte, streamSize)); err != nil {
			return err
		}
	}
	return nil
}
