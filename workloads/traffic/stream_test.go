//go:build linux

package traffic

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// TestStream wants the record to say of each datagram whether it arrived, and that the one rule that is made meanwhile drops all from some
// datagram on, while flows are tried as well.
func TestStream(t *testing.T) {
	w := newWorld(t, 3)
	udp := func(i, j int) Flow {
		return Flow{From: w.pods[i].Pod, To: w.pods[j].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	}
	drop(t, w.pods[0].IPs[0], w.pods[2].IPs[0])
	stream, err := w.prober.Stream([]Flow{udp(0, 1), udp(0, 2), udp(1, 2)}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if r := w.prober.Probe(t.Context(), []Flow{udp(2, 1)})[0]; r.Err != nil {
			t.Error(r.Err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	before := monotonic()
	drop(t, w.pods[1].IPs[0], w.pods[2].IPs[0])
	after := monotonic()
	time.Sleep(100 * time.Millisecond)
	record, err := stream.Stop()
	if err != nil {
		t.Fatal(err)
	}
	rounds := len(record.Lateness)
	if rounds == 0 || len(record.Tracks) != 3 {
		t.Fatalf("%d rounds of %d flows", rounds, len(record.Tracks))
	}
	for i, track := range record.Tracks {
		if len(track.Sent) != rounds || len(track.Received) != rounds || len(track.Errors) > 0 {
			t.Fatalf("flow %d: %d sent, %d received of %d, %v", i, len(track.Sent), len(track.Received), rounds, track.Errors)
		}
		for n, sent := range track.Sent {
			arrived := track.Received[n] != 0
			switch {
			case i == 0 && !arrived, i == 1 && arrived, i == 2 && arrived && sent > after, i == 2 && !arrived && track.Sent[min(n+1, rounds-1)] < before:
				t.Fatalf("flow %d: datagram %d, sent at %d, arrived: %t; the rule was made between %d and %d", i, n, sent, arrived, before, after)
			case arrived && (track.Received[n] < sent-int64(time.Millisecond) || track.Received[n] > sent+int64(10*time.Second)):
				t.Fatalf("flow %d: datagram %d was sent at %d and received at %d", i, n, sent, track.Received[n])
			}
		}
	}
}

func TestImpossibleStreams(t *testing.T) {
	w := newWorld(t, 2)
	good := Flow{From: w.pods[0].Pod, To: w.pods[1].IPs[0], Port: open, Protocol: corev1.ProtocolUDP}
	tcp, unknown := good, good
	tcp.Protocol, unknown.From.Name = corev1.ProtocolTCP, "unknown"
	for name, flows := range map[string][]Flow{"tcp": {good, tcp}, "unknown": {good, unknown}, "many": slices.Repeat([]Flow{good}, maxStreams+1)} {
		if s, err := w.prober.Stream(flows, time.Millisecond); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if len(w.prober.streams) > 0 {
		t.Errorf("left: %v", w.prober.streams)
	}
}

// BenchmarkStream sends on 50 flows at 1 kHz each and says how late its rounds were and what CPU time they cost.
func BenchmarkStream(b *testing.B) {
	w := newWorld(b, 10)
	var flows []Flow
	for i := range 50 {
		from, to := w.pods[i%10], w.pods[(i+1+i/10)%10]
		flows = append(flows, Flow{From: from.Pod, To: to.IPs[0], Port: open, Protocol: corev1.ProtocolUDP})
	}
	drop(b, w.pods[0].IPs[0], w.pods[1].IPs[0])
	var lateness []time.Duration
	var cpu, wall time.Duration
	received, sent, missed := 0, 0, 0
	for b.Loop() {
		began, used := time.Now(), cpuTime(b)
		stream, err := w.prober.Stream(flows, time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		record, err := stream.Stop()
		if err != nil {
			b.Fatal(err)
		}
		cpu, wall = cpu+cpuTime(b)-used, wall+time.Since(began)
		lateness, missed = append(lateness, record.Lateness...), missed+record.Missed
		for _, track := range record.Tracks {
			sent += len(track.Sent)
			for _, at := range track.Received {
				if at != 0 {
					received++
				}
			}
		}
	}
	slices.Sort(lateness)
	at := func(q float64) float64 { return float64(lateness[int(q*float64(len(lateness)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "µs-late-P50")
	b.ReportMetric(at(0.99), "µs-late-P99")
	b.ReportMetric(100*float64(missed)/float64(missed+len(lateness)), "%missed")
	b.ReportMetric(100*cpu.Seconds()/wall.Seconds(), "%CPU")
	b.ReportMetric(float64(sent)/wall.Seconds(), "sent/s")
	b.ReportMetric(100*float64(received)/float64(sent), "%received")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(syscall.TimevalToNsec(syscall.Timeval(u.Utime)) + syscall.TimevalToNsec(syscall.Timeval(u.Stime)))
}
