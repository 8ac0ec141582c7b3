//go:build linux

package impair

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// BenchmarkDelay says how near to what was asked the delays are, at one packet a millisecond.
func BenchmarkDelay(b *testing.B) {
	_, pods := netnstest.Pods(b, 2)
	for _, delay := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
		b.Run(delay.String(), func(b *testing.B) {
			l := openLink(b, pods[0].Namespace)
			must(b, l.Set(Impairment{Name: "slow", Filter: Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}, Quality: Quality{Delay: delay}}))
			for b.Loop() {
				count(b, pods[0], pods[1], 1000, time.Millisecond)
			}
			h := report(b, l, "slow").Held
			b.ReportMetric(float64(h.Delay.P50.Microseconds()), "P50-µs")
			b.ReportMetric(float64(h.Delay.P99.Microseconds()), "P99-µs")
			b.ReportMetric(float64(h.Lateness.P99.Microseconds()), "P99-late-µs")
		})
	}
}

// BenchmarkThroughput sends as fast as a sender can through nothing, a filter that counts, and a delay.
func BenchmarkThroughput(b *testing.B) {
	_, pods := netnstest.Pods(b, 2)
	for _, c := range []struct {
		name  string
		asked *Impairment
	}{
		{"nothing", nil},
		{"counted", &Impairment{Name: "x"}},
		{"lost 1 percent", &Impairment{Name: "x", Quality: Quality{Loss: Loss{Chance: Chance{Share: 0.01}}}}},
		{"delayed 10 ms", &Impairment{Name: "x", Quality: Quality{Delay: 10 * time.Millisecond}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := openLink(b, pods[0].Namespace)
			if c.asked != nil {
				must(b, l.Set(*c.asked))
			}
			const packets = 50_000
			for b.Loop() {
				arrived, _ := tally(count(b, pods[0], pods[1], packets, -1))
				b.ReportMetric(float64(arrived)/packets*100, "%arrived")
			}
			if r, err := l.Show(); err == nil && len(r) > 0 && r[0].Held != nil {
				b.Logf("%+v %+v", r[0].Counters, *r[0].Held)
			}
			b.ReportMetric(float64(packets*b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
