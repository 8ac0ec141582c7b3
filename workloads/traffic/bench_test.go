//go:build linux

package traffic

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
)

var benchPorts = []uint16{open, open + 1000, open + 2000}

// BenchmarkMatrix tries every flow between 20 pods on three ports by TCP and UDP: all of them let through, all of them dropped, and
// every other pair dropped; "bare" is what the kernel allows: the same packets, and nothing but the system calls that send them.
func BenchmarkMatrix(b *testing.B) {
	for name, loses := range map[string]func(i, j int) bool{
		"allowed": func(int, int) bool { return false },
		"denied":  func(int, int) bool { return true },
		"mixed":   func(i, j int) bool { return (i+j)%2 == 0 },
	} {
		b.Run(name, func(b *testing.B) {
			w, flows := benchMatrix(b)
			for i, from := range w.pods {
				for j, to := range w.pods {
					if i != j && loses(i, j) {
						drop(b, from.IPs[0], to.IPs[0])
					}
				}
			}
			verdicts := map[error]int{}
			for b.Loop() {
				for _, r := range w.prober.Probe(b.Context(), flows) {
					if r.Err != nil && !errors.Is(r.Err, ErrDropped) {
						b.Fatal(r.Err)
					}
					verdicts[r.Err]++
				}
			}
			b.ReportMetric(float64(len(flows)*b.N)/b.Elapsed().Seconds(), "verdicts/s")
			b.ReportMetric(float64(verdicts[nil])/float64(b.N), "connected")
			b.ReportMetric(float64(verdicts[ErrDropped])/float64(b.N), "dropped")
		})
	}
	b.Run("bare", func(b *testing.B) {
		w, flows := benchMatrix(b)
		bare := newBare(b, w)
		for b.Loop() {
			if err := bare.run(flows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(flows)*b.N)/b.Elapsed().Seconds(), "verdicts/s")
	})
}

func benchMatrix(b *testing.B) (*world, []Flow) {
	w := newWorld(b, 20)
	w.prober.memory = 0 // nothing here remembers flows
	var flows []Flow
	for _, from := range w.pods {
		ns, _ := w.plugger.Namespace(from.Pod)
		if err := w.prober.Listen(ns, benchPorts[1:]); err != nil {
			b.Fatal(err)
		}
		for _, to := range w.pods {
			for _, port := range benchPorts {
				for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
					if from.Pod != to.Pod {
						flows = append(flows, Flow{From: from.Pod, To: to.IPs[0], Port: port, Protocol: protocol})
					}
				}
			}
		}
	}
	return w, flows
}

// bare does the least that makes the packets of a flow: a socket, connect and close for TCP, to which the kernel alone answers, and
// one datagram to and fro between sockets that stay open for UDP.
type bare struct {
	w       *world
	senders map[string]int
	takers  map[string]int
}

const barePort = 7000

func newBare(b *testing.B, w *world) *bare {
	all := &bare{w: w, senders: map[string]int{}, takers: map[string]int{}}
	for _, pod := range w.pods {
		ns, _ := w.plugger.Namespace(pod.Pod)
		for _, sockets := range []map[string]int{all.senders, all.takers} {
			err := ns.Do(func() (err error) {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
				sockets[pod.Pod.Name] = fd
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = unix.Close(sockets[pod.Pod.Name]) })
		}
		if err := unix.Bind(all.takers[pod.Pod.Name], sockaddr(pod.IPs[0], barePort)); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

func (a *bare) run(flows []Flow) error {
	var buffer [8]byte
	owner := map[[4]byte]string{}
	for _, pod := range a.w.pods {
		owner[pod.IPs[0].As4()] = pod.Pod.Name
	}
	return netns.Visit(func(v *netns.Visitor) error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for _, f := range flows {
			if isUDP(f) {
				to := a.takers[owner[f.To.As4()]]
				if err := unix.Sendto(a.senders[f.From.Name], buffer[:], 0, sockaddr(f.To, barePort)); err != nil {
					return err
				}
				_, from, err := unix.Recvfrom(to, buffer[:], 0)
				if err == nil {
					err = unix.Sendto(to, buffer[:], 0, from)
				}
				if err == nil {
					_, err = unix.Read(a.senders[f.From.Name], buffer[:])
				}
				if err != nil {
					return err
				}
				continue
			}
			ns, _ := a.w.plugger.Namespace(f.From)
			if err := v.Enter(ns); err != nil {
				return err
			}
			fd, err := openSocket(f.To, unix.SOCK_STREAM)
			if err != nil {
				return err
			}
			_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			if err := unix.Connect(fd, sockaddr(f.To, f.Port)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
				return err
			}
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
		a.w.prober.mu.Lock()
		defer a.w.prober.mu.Unlock()
		a.w.prober.collect() // what the listeners were left with
		a.w.prober.dismiss()
		return nil
	})
}
