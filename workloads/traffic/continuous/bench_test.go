//go:build linux

package continuous

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

var protocols = []load.Protocol{load.TCP, load.UDP, load.HTTP}

// BenchmarkRate sends as fast as it goes, in a closed loop.
func BenchmarkRate(b *testing.B) {
	plugger, pods := netnstest.Pods(b, 2)
	for _, protocol := range protocols {
		b.Run(string(protocol), func(b *testing.B) {
			best := 0.0
			for b.Loop() {
				capacity, err := tryCapacity(b.Context(), plugger, between(pods, protocol))
				must(b, err)
				best = max(best, capacity)
			}
			b.ReportMetric(best, "messages/s")
		})
	}
}

// BenchmarkPunctual finds the highest rate, and at a low rate the most connections, at which one message in a hundred is sent less than a
// millisecond late. It takes twice as much until that no longer holds in any of three tries.
func BenchmarkPunctual(b *testing.B) {
	plugger, pods := netnstest.Pods(b, 2)
	for _, protocol := range protocols {
		b.Run(string(protocol)+"/rate", func(b *testing.B) {
			for b.Loop() {
				highest := 0.0
				for rate := 1000.0; rate < 1e6 && punctual(b, plugger, pods, protocol, 100, rate); rate *= 1.25 {
					highest = rate
				}
				b.ReportMetric(highest, "messages/s")
			}
		})
	}
	b.Run("connections", func(b *testing.B) {
		for b.Loop() {
			most := 0
			for n := 500; n <= int(descriptorLimit(b)-200)/2 && punctual(b, plugger, pods, load.TCP, n, 2000); n = n * 3 / 2 {
				most = n
			}
			b.ReportMetric(float64(most), "connections")
		}
	})
}

// punctual reports whether such traffic was in time, in one of three tries: this machine is not ours alone.
func punctual(b *testing.B, plugger *netns.Plugger, pods []netnstest.Pod, protocol load.Protocol, connections int, rate float64) bool {
	b.Helper()
	for range 3 {
		s := between(pods, protocol)
		s.Connections, s.Rate, s.Duration, s.GiveUp, s.ConnectRate = connections, rate, time.Second, 200*time.Millisecond, 20_000
		r := run(b, plugger, s)
		if r.Bottleneck == "" && r.Lateness.N() > 0 && r.Count.Missed == 0 && r.Count.Sent == r.Count.Due {
			return true
		}
	}
	return false
}

func descriptorLimit(b *testing.B) uint64 {
	b.Helper()
	var limit unix.Rlimit
	must(b, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	return limit.Max
}

// BenchmarkIdle keeps 50,000 connections open that say nothing, or as many as this process may have files for, and a quarter and a half of
// them: whether the memory of each is the same says how far that may be carried on.
func BenchmarkIdle(b *testing.B) {
	most := min(50_000, int(descriptorLimit(b)-200)/2)
	plugger, pods := netnstest.Pods(b, 2)
	for _, idle := range []int{most / 4, most / 2, most} {
		b.Run(fmt.Sprint(idle), func(b *testing.B) {
			for b.Loop() {
				before := settledMemory()
				s := between(pods, load.TCP)
				s.Pairs = nil
				for i := range 8 { // a source port leads to each target once
					s.Pairs = append(s.Pairs, load.Pair{From: pods[0].Key, To: netip.AddrPortFrom(pods[1].V4, uint16(port+i))})
				}
				s.Idle, s.Connections, s.ConnectRate = true, idle, 20_000
				under, err := Start(b.Context(), plugger, s)
				must(b, err)
				for standing := 0; standing < idle; time.Sleep(50 * time.Millisecond) {
					standing = 0
					for _, c := range under.Look() {
						if c.Stands {
							standing++
						}
					}
				}
				held := settledMemory()
				r, err := under.Stop()
				must(b, err)
				whole(b, r)
				b.ReportMetric(float64(held.HeapAlloc)/float64(idle)-float64(before.HeapAlloc)/float64(idle), "B-heap/connection")
				b.ReportMetric(float64(max(held.Sys, before.Sys)-before.Sys)/float64(idle), "B-from-kernel/connection")
				b.ReportMetric(float64(idle)/r.Connections[idle-1].Begun.Sub(r.Connections[0].Begun).Seconds(), "begun/s")
			}
		})
	}
}

// settledMemory is what this process holds once what is garbage is gone.
func settledMemory() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}
