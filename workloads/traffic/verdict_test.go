//go:build linux

package traffic

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// drop makes the node lose all packets from one address to another.
func drop(t testing.TB, from, to netip.Addr) {
	t.Helper()
	rule := netlink.NewRule()
	rule.Src, rule.Dst = netlink.NewIPNet(from.AsSlice()), netlink.NewIPNet(to.AsSlice())
	rule.Type, rule.Priority, rule.Family = unix.RTN_BLACKHOLE, 100, netlink.FAMILY_V4
	if from.Is6() {
		rule.Family = netlink.FAMILY_V6
	}
	if err := netlink.RuleAdd(rule); err != nil {
		t.Fatal(err)
	}
}

// burn keeps every CPU busy, in user space and with packets of others.
func burn(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for range 2 * runtime.NumCPU() {
		done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_ = n * n
			}
		})
	}
	ns, _ := w.plugger.Namespace(w.pods[0].Pod)
	for range runtime.NumCPU() {
		var socket int
		err := ns.Do(func() (err error) {
			if socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
				err = unix.Connect(socket, sockaddr(w.pods[1].IPs[0], closed))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		done.Go(func() {
			defer unix.Close(socket)
			for ctx.Err() == nil {
				_, _ = unix.Write(socket, make([]byte, 100))
			}
		})
	}
	t.Cleanup(func() { cancel(); done.Wait() })
}

// TestVerdicts tries thousands of flows, some of which lose their packets on the way there and some on the way back, while the
// machine is busy, and wants each verdict to be right.
func TestVerdicts(t *testing.T) {
	w := newWorld(t, 8)
	r := rand.New(rand.NewPCG(1, 2))
	lost := map[[2]netip.Addr]bool{}
	for i, from := range w.pods {
		for j, to := range w.pods {
			for f := range from.IPs {
				if i != j && r.IntN(4) == 0 {
					lost[[2]netip.Addr{from.IPs[f], to.IPs[f]}] = true
					drop(t, from.IPs[f], to.IPs[f])
				}
			}
		}
	}
	var flows []Flow
	var sources []netip.Addr
	for _, from := range w.pods {
		for _, to := range w.pods {
			for f, ip := range to.IPs {
				for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
					flows, sources = append(flows, Flow{From: from.Pod, To: ip, Port: open, Protocol: protocol}), append(sources, from.IPs[f])
				}
			}
		}
	}
	burn(t, w)
	verdicts := map[string]int{}
	for range 20 {
		for i, got := range w.prober.Probe(t.Context(), flows) {
			there, back := lost[[2]netip.Addr{sources[i], flows[i].To}], lost[[2]netip.Addr{flows[i].To, sources[i]}]
			var want error
			name := "pass"
			switch {
			case there:
				want, name = ErrDropped, "dropped on the way there"
			case back && isUDP(flows[i]):
				want, name = ErrNoAnswer, "dropped on the way back"
			case back:
				want, name = ErrDropped, "dropped on the way back"
			}
			verdicts[name]++
			if !errors.Is(got.Err, want) || want == nil && got.SourceSeen != sources[i] {
				t.Errorf("%+v: got %+v, want %v", flows[i], got, want)
			}
		}
	}
	if late := w.prober.Late(); len(late) > 0 {
		t.Errorf("late: %v", late)
	}
	t.Log(verdicts)
}
