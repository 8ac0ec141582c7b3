//go:build linux

package impair

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
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

// BenchmarkDelayLimit finds the highest rate at which a delay of 10 ms is kept: no packet is lost, half of them leave within 5 % of it, and
// one in a hundred at most 2 ms late. It raises the rate until that no longer holds in any of three tries.
func BenchmarkDelayLimit(b *testing.B) {
	const delay = 10 * time.Millisecond
	_, pods := netnstest.Pods(b, 2)
	l := openLink(b, pods[0].Namespace)
	kept := func(rate int) (h Held, kept bool) {
		for try := 0; try < 3 && !kept; try++ {
			must(b, l.Set(Impairment{Name: "slow", Filter: Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}, Quality: Quality{Delay: delay}}))
			sent := blast(b, pods[0], pods[1], rate, time.Second)
			time.Sleep(2 * delay)
			r := report(b, l, "slow")
			h = *r.Held
			kept = h.Sent == r.Counters.Packets && h.Dropped == 0 && uint64(sent) == r.Counters.Packets && sent > rate*9/10 &&
				h.Delay.P50 < delay+delay/20 && h.Lateness.P99 < 2*time.Millisecond
		}
		return h, kept
	}
	for b.Loop() {
		var highest int
		var at Held
		for rate := 1000; rate < 1_000_000; rate = rate * 5 / 4 {
			h, ok := kept(rate)
			if !ok {
				b.ReportMetric(float64(h.Delay.P50.Microseconds()), "P50-beyond-µs")
				b.ReportMetric(float64(h.Lateness.P99.Microseconds()), "P99-late-beyond-µs")
				break
			}
			highest, at = rate, h
		}
		b.ReportMetric(float64(highest), "packets/s")
		b.ReportMetric(float64(at.Delay.P50.Microseconds()), "P50-µs")
		b.ReportMetric(float64(at.Delay.P99.Microseconds()), "P99-µs")
	}
}

// blast sends datagrams at a rate that a reader elsewhere takes, and returns how many went. They go in batches of a millisecond's.
func blast(b *testing.B, from, to netnstest.Pod, rate int, lasts time.Duration) (sent int) {
	b.Helper()
	var sender, reader *net.UDPConn
	must(b, to.Do(func() (err error) { // else each datagram is refused, and the next one with it
		reader, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.V4, 9)))
		return err
	}))
	defer reader.Close()
	go func() {
		for data := make([]byte, 64); ; {
			if _, err := reader.Read(data); err != nil {
				return // it was closed
			}
		}
	}()
	must(b, from.Do(func() (err error) {
		sender, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.V4, 9)))
		return err
	}))
	defer sender.Close()
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(time.Millisecond) {
		for due := int(time.Since(began).Seconds() * float64(rate)); sent < due; sent++ {
			_, err := sender.Write(make([]byte, 64))
			must(b, err)
		}
	}
	return sent
}

// BenchmarkLoss says which share was lost of what was asked, and whether that is within its interval: of single losses the binomial one, of
// bursts a wider one.
func BenchmarkLoss(b *testing.B) {
	_, pods := netnstest.Pods(b, 2)
	type model struct {
		name string
		loss Loss
	}
	var models []model
	for _, asked := range []float64{0.001, 0.01, 0.05, 0.2} {
		models = append(models, model{fmt.Sprintf("%g %%", 100*asked), Loss{Chance: Chance{Share: asked}}})
	}
	models = append(models,
		model{"Gilbert–Elliott", Loss{GilbertElliott: &GilbertElliott{ToBad: 0.01, ToGood: 0.25, LostBad: 1}}},
		model{"four states", Loss{FourState: &FourState{P13: 0.01, P31: 0.3, P32: 0.2, P23: 0.3, P14: 0.005}}})
	for _, m := range models {
		b.Run(m.name, func(b *testing.B) {
			l := openLink(b, pods[0].Namespace)
			must(b, l.Set(Impairment{Name: "lossy", Filter: Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}, Quality: Quality{Loss: m.loss, Seed: 1}}))
			for b.Loop() {
				count(b, pods[0], pods[1], 50_000, 0)
			}
			c := report(b, l, "lossy").Proof[0]
			if c.State != metrics.InForce {
				b.Errorf("%s", c)
			}
			b.ReportMetric(100*c.Asked, "%asked")
			b.ReportMetric(100*c.Achieved, "%lost")
			b.ReportMetric(100*c.Low, "%low")
			b.ReportMetric(100*c.High, "%high")
		})
	}
}

// BenchmarkBystander says how much longer rounds of a connection take while others on its link are delayed: with and without in turn, so
// that both see the same machine.
func BenchmarkBystander(b *testing.B) {
	_, pods := netnstest.Pods(b, 2)
	serve(b, pods[1].Namespace)
	c, other := dial(b, pods[0].Namespace, pods[1].V4), dial(b, pods[0].Namespace, pods[1].V4)
	var with, without []time.Duration
	for b.Loop() {
		for range 20 {
			l, err := Open(pods[0].Namespace, PodInterface)
			must(b, err)
			must(b, l.Set(Impairment{Name: "slow", Filter: other.connection(), Quality: Quality{Delay: 10 * time.Millisecond}}))
			busy := make(chan struct{})
			go func() {
				defer close(busy)
				for range 3 {
					other.round(b)
				}
			}()
			for range 100 {
				with = append(with, c.round(b))
			}
			<-busy
			must(b, l.Close())
			for range 100 {
				without = append(without, c.round(b))
			}
		}
	}
	at := func(d []time.Duration, q float64) float64 {
		slices.Sort(d)
		return float64(d[int(q*float64(len(d)-1))].Nanoseconds()) / 1000
	}
	b.ReportMetric(at(with, 0.5)/at(without, 0.5), "ratio-P50")
	b.ReportMetric(at(with, 0.99)/at(without, 0.99), "ratio-P99")
	b.ReportMetric(at(without, 0.99), "P99-without-µs")
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
