//go:build linux

package web_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

// benchLasts is how long a load of a benchmark lasts.
const benchLasts = 6 * time.Second

// BenchmarkAtMost is how many requests a second client and backends do at most on 64 connections, for ours and for wrk, in turns on the same
// server.
func BenchmarkAtMost(b *testing.B) {
	plugger, pods := netnstest.Pods(b, 1)
	serving(b, plugger, pods, web.Serving{Size: 600})
	node, err := netns.Current()
	must(b, err)
	defer node.Close()
	to := netip.AddrPortFrom(pods[0].V4, port)
	var ours, theirs float64
	for b.Loop() {
		r, err := web.Press(b.Context(), plugger, requests.Load{To: []netip.AddrPort{to}, Mix: []requests.Ask{{}}, Connections: 64, Closed: true, Duration: benchLasts})
		must(b, err)
		ours += r.Achieved()
		theirs += wrk(b, node, to)
	}
	b.ReportMetric(ours/float64(b.N), "requests/s")
	b.ReportMetric(theirs/float64(b.N), "wrk-requests/s")
}

var wrkSays = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)

func wrk(b *testing.B, node *netns.Namespace, to netip.AddrPort) float64 {
	b.Helper()
	path, err := exec.LookPath("wrk")
	if err != nil {
		b.Skip("needs wrk, Debian's package of that name")
	}
	cmd := exec.Command(path, "-t1", "-c64", fmt.Sprintf("-d%ds", int(benchLasts.Seconds())), "http://"+to.String()+"/")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	must(b, node.Do(cmd.Start))
	if err := cmd.Wait(); err != nil {
		b.Fatalf("wrk: %v\n%s", err, said.String())
	}
	found := wrkSays.FindStringSubmatch(said.String())
	if found == nil {
		b.Fatalf("wrk said:\n%s", said.String())
	}
	rate, err := strconv.ParseFloat(found[1], 64)
	must(b, err)
	return rate
}

// BenchmarkPunctual finds up to which constant rate one request in a hundred at most is sent a millisecond late.
func BenchmarkPunctual(b *testing.B) {
	plugger, pods := netnstest.Pods(b, 1)
	_, client := serving(b, plugger, pods, web.Serving{Size: 600})
	for _, rate := range []float64{1000, 5000, 10_000, 20_000, 30_000, 40_000, 60_000} {
		b.Run(fmt.Sprintf("%.0f", rate), func(b *testing.B) {
			for b.Loop() {
				r, err := client.Press(b.Context(), requests.Load{
					To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Mix: []requests.Ask{{}}, Connections: 64, Rate: rate, Duration: benchLasts,
				})
				must(b, err)
				b.ReportMetric(1e3*r.Lateness.Quantile(0.99), "late-P99-ms")
				b.ReportMetric(1e3*r.All().Quantile(0.5), "P50-ms")
				b.ReportMetric(1e3*r.All().Quantile(0.99), "P99-ms")
				b.ReportMetric(r.Achieved(), "requests/s")
			}
		})
	}
}

// BenchmarkIdle opens 50,000 connections through bare proxies that only stay open, beside 100 requests a second: this process and each of
// theirs may have no more than their limit of open files.
func BenchmarkIdle(b *testing.B) {
	plugger, pods := netnstest.Pods(b, 4)
	serving(b, plugger, pods, web.Serving{})
	node, err := netns.Current()
	must(b, err)
	defer node.Close()
	var to []netip.AddrPort
	var proxies []int
	for i := range 3 {
		p, err := web.StartProxy(b.Context(), node, uint16(18_080+i), 1, []netip.AddrPort{netip.AddrPortFrom(pods[i].V4, port)})
		if err != nil {
			b.Skip(err)
		}
		defer p.Stop()
		proxies, to = append(proxies, p.PID()), append(to, netip.MustParseAddrPort(fmt.Sprintf("10.0.0.1:%d", 18_080+i)))
	}
	const idle = 50_000
	for b.Loop() {
		before, kernel := resident(b, proxies), slab(b)
		began := time.Now()
		l := requests.Load{To: to, Mix: []requests.Ask{{}}, Connections: 30, Idle: idle, Rate: 100, Duration: benchLasts}
		p, err := web.Start(b.Context(), plugger, l)
		must(b, err)
		took := time.Since(began)
		after, kernelAfter := resident(b, proxies), slab(b)
		asking := resident(b, p.Processes())
		r, err := p.Wait(b.Context())
		must(b, err)
		if r.IdleStood-r.IdleLost != idle {
			b.Errorf("%d idle connections stood, %d were lost\n%s", r.IdleStood, r.IdleLost, r)
		}
		b.ReportMetric(float64(r.IdleStood-r.IdleLost), "idle")
		b.ReportMetric(idle/took.Seconds(), "begun/s")
		b.ReportMetric((after-before)/idle, "proxy-B/connection")
		b.ReportMetric((kernelAfter-kernel)/idle, "kernel-B/connection")
		b.ReportMetric(asking/idle, "client-B/connection")
		b.ReportMetric(1e3*r.Lateness.Quantile(0.99), "late-P99-ms")
	}
}

// slab is the kernel's memory for its objects, in bytes.
func slab(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/meminfo")
	must(b, err)
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "Slab:" {
			kib, err := strconv.ParseFloat(words[1], 64)
			must(b, err)
			return 1024 * kib
		}
	}
	b.Fatal("the kernel does not say")
	return 0
}

// resident is the resident memory of processes, in bytes.
func resident(b *testing.B, pids []int) (sum float64) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		must(b, err)
		pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
		must(b, err)
		sum += pages * float64(os.Getpagesize())
	}
	return sum
}
