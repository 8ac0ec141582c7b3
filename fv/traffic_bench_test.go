package fv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/fv/driver"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/traffic"
)

// benchCluster deploys twenty local pods and waits until all hear each other. It returns them, and all flows between them on three ports
// by TCP and UDP.
func benchCluster(b *testing.B) (d *driver.Driver, w *engine.World, pods []workloads.Pod, flows []traffic.Flow) {
	b.Helper()
	d = benchDriver(b, benchSeed.Add(1)) // other names: a pod that comes back under its own at once may never be served (docs/findings.md)
	w, err := d.World(engine.Scenario{Name: b.Name(), Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: 20, Local: -1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Fleet.Clear(context.Background()); err != nil {
			b.Error(err)
		}
	})
	state := w.Plan.State()
	if err := w.Fleet.Apply(b.Context(), state); err != nil {
		b.Fatal(err)
	}
	pods = w.Plan.Ring(state)
	ports := append(slices.Clone(effects.Ports), benchPort)
	for _, p := range pods {
		if err := d.Wire().Ready(effects.End{Key: p.Key}, ports...); err != nil {
			b.Fatal(err)
		}
	}
	for _, from := range pods {
		for _, to := range pods {
			for _, port := range ports {
				for _, protocol := range effects.Protocols {
					if from.Key != to.Key {
						flows = append(flows, traffic.Flow{From: from.Key, To: to.IPs[0], Port: port, Protocol: protocol})
					}
				}
			}
		}
	}
	benchAwait(b, d, flows, nil)
	return d, w, pods, flows
}

var benchSeed atomic.Uint64

// benchPort is the third port that is tried, with effects.Ports.
const benchPort = 10100

// benchAwait waits until all flows end in one way.
func benchAwait(b *testing.B, d *driver.Driver, flows []traffic.Flow, want error) {
	b.Helper()
	err := lifecycle.Wait(b.Context(), "the same end of all flows", time.Minute, func(ctx context.Context) error {
		for i, r := range d.Wire().Prober().Probe(ctx, flows) {
			if !errors.Is(r.Err, want) {
				return fmt.Errorf("%+v: got %v, want %v", flows[i], r.Err, want)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMatrix tries every flow between 20 pods on three ports by TCP and UDP through the SUT: all of them let through, and all of
// them denied by a policy. What the kernel allows without a SUT, the benchmark of that name in workloads/traffic says.
func BenchmarkMatrix(b *testing.B) {
	for _, c := range []struct {
		name string
		want error
	}{{"allowed", nil}, {"denied", traffic.ErrDropped}} {
		b.Run(c.name, func(b *testing.B) {
			d, w, pods, flows := benchCluster(b)
			if c.want != nil {
				deny := workloads.Policy{Key: workloads.Key{Namespace: pods[0].Namespace, Name: "deny"}, Spec: networkingv1.NetworkPolicySpec{
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}}
				if err := w.Fleet.AddPolicies(b.Context(), []workloads.Policy{deny}); err != nil {
					b.Fatal(err)
				}
			}
			benchAwait(b, d, flows, c.want)
			for b.Loop() {
				d.Wire().Prober().Probe(b.Context(), flows)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
			perSecond(b, "verdicts/s", len(flows))
		})
	}
}

// BenchmarkStreams sends on 50 flows at 1 kHz each through the SUT, at rest and while local pods come and go at 20 operations a second,
// and says how late the datagrams were, and what this process used for all it did: the churn, too.
func BenchmarkStreams(b *testing.B) {
	const flows, span, perSecond = 50, 5 * time.Second, 20
	for _, churn := range []bool{false, true} {
		b.Run(map[bool]string{false: "rest", true: "churn"}[churn], func(b *testing.B) {
			d, w, pods, _ := benchCluster(b)
			var late []time.Duration
			var cpu, wall time.Duration
			received := 0
			for b.Loop() {
				stream, err := d.Wire().Prober().Stream(effects.CertainAfter)
				if err != nil {
					b.Fatal(err)
				}
				for i := range flows {
					f := traffic.Flow{From: pods[i%20].Key, To: pods[(i+1+i/20)%20].IPs[0], Port: benchPort, Protocol: corev1.ProtocolUDP}
					if err := stream.Open(f, nil, time.Millisecond); err != nil {
						b.Fatal(err)
					}
				}
				begun, used := time.Now(), cpuTime(b)
				within, end := context.WithTimeout(b.Context(), span)
				group, _ := errgroup.WithContext(b.Context())
				if churn {
					group.Go(func() error { return scenarios.ComeAndGo(within, w, pods[0], perSecond) })
				}
				<-within.Done()
				end()
				cpu, wall = cpu+cpuTime(b)-used, wall+time.Since(begun)
				seen, err := stream.Stop()
				if err := errors.Join(err, group.Wait()); err != nil {
					b.Fatal(err)
				}
				for _, s := range seen {
					late = append(late, s.Late)
					if !s.Received.IsZero() {
						received++
					}
				}
			}
			b.ReportMetric(1000*metrics.Quantile(late, 0.5).Seconds(), "ms-late-P50")
			b.ReportMetric(1000*metrics.Quantile(late, 0.99).Seconds(), "ms-late-P99")
			b.ReportMetric(100*cpu.Seconds()/wall.Seconds(), "%CPU")
			b.ReportMetric(float64(len(late))/wall.Seconds()/flows, "datagrams/s/flow")
			b.ReportMetric(100*float64(received)/float64(len(late)), "%received")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(syscall.TimevalToNsec(syscall.Timeval(u.Utime)) + syscall.TimevalToNsec(syscall.Timeval(u.Stime)))
}
