package fv

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/fv/driver"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// The benchmarks measure what the driver does beside the bare thing that it is made of, in one run. They are run by `make bench`
// inside a node's namespace; without a handoff they are skipped.

// benchDriver is the driver of one benchmark, which draws from this seed.
func benchDriver(b *testing.B, seed uint64) *driver.Driver {
	b.Helper()
	if suite == nil {
		b.Skip("not inside a node's network namespace: run `make bench`")
	}
	h := suite.Handoff()
	h.Seed, h.Out = seed, b.TempDir() // what is measured here is not a run's
	d := driver.New(h, b.Output())
	if err := d.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return d
}

func perSecond(b *testing.B, unit string, n int) {
	b.ReportMetric(float64(n)/(b.Elapsed().Seconds()/float64(b.N)), unit)
	b.ReportMetric(0, "ns/op")
}

const benchPods = 3000

// BenchmarkCreatePods makes remote pods: ours through the Fleet, bare by as many goroutines that do nothing but call the client, and
// alone the same while the SUT is stopped: what the API server and etcd need for themselves.
func BenchmarkCreatePods(b *testing.B) {
	for _, way := range []string{"ours", "bare", "bare", "ours", "alone"} { // what the server is slower at by then slows both
		b.Run(way, func(b *testing.B) {
			d := benchDriver(b, 1)
			if way == "alone" {
				stopAgent(b, d)
			}
			plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 1, Namespaces: 30, PodsPerNamespace: benchPods / 30}, d.Handoff().Node)
			if err != nil {
				b.Fatal(err)
			}
			fleet := workloads.NewFleet(workloads.Config{Client: d.Client(), Decorate: d.Target().Decorate, OneWrite: true}, workloads.NewState(d.Handoff().Node))
			state := plan.State()
			pods := state.Pods().List()
			state.Clear(workloads.PodKind)
			if err := fleet.Apply(b.Context(), state); err != nil {
				b.Fatal(err)
			}
			objects := barePods(d, pods)
			for b.Loop() {
				if way == "ours" {
					err = fleet.AddPods(b.Context(), pods)
				} else {
					err = bareCreate(b.Context(), d, objects)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, "pods/s", benchPods)
			if err := fleet.Clear(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// stopAgent stops the SUT's process until the benchmark ends.
func stopAgent(b *testing.B, d *driver.Driver) {
	b.Helper()
	pid, err := metrics.FindProcess(d.Handoff().Target.Process)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0), unix.Close(fd)); err != nil {
			b.Error(err)
		}
	})
}

func barePods(d *driver.Driver, pods []workloads.Pod) []*corev1.Pod {
	no, grace := false, int64(0)
	objects := make([]*corev1.Pod, 0, len(pods))
	for _, p := range pods {
		labels := map[string]string{"app.kubernetes.io/managed-by": "nodefv"}
		maps.Copy(labels, p.Labels)
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: labels},
			Spec: corev1.PodSpec{
				NodeName: p.Node, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &grace,
				Containers: []corev1.Container{{Name: "workload", Image: "workload"}},
			},
			Status: corev1.PodStatus{PodIP: p.IPs[0].String(), PodIPs: []corev1.PodIP{{IP: p.IPs[0].String()}}},
		}
		d.Target().Decorate(pod)
		objects = append(objects, pod)
	}
	return objects
}

func bareCreate(ctx context.Context, d *driver.Driver, objects []*corev1.Pod) error {
	const goroutines = 48 // as the Fleet has
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range goroutines {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(objects) {
					return nil
				}
				if _, err := d.Client().CoreV1().Pods(objects[i].Namespace).Create(ctx, objects[i], metav1.CreateOptions{}); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
