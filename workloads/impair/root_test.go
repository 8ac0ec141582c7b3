//go:build linux

package impair

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

const port = 8080

// talk is an open TCP connection whose other side sends back what it gets.
type talk struct{ net.Conn }

// round returns how long a message and its answer take.
func (c talk) round(t testing.TB) time.Duration {
	t.Helper()
	began, data := time.Now(), make([]byte, 8)
	must(t, c.SetDeadline(began.Add(10*time.Second)))
	_, err := c.Write(data)
	must(t, err)
	_, err = io.ReadFull(c, data)
	must(t, err)
	return time.Since(began)
}

// undelayed wants a round that is shorter than a delay, which proves that the delay is not in force. On a busy machine it
// may take several.
func (c talk) undelayed(t testing.TB, delay time.Duration) {
	t.Helper()
	for began := time.Now(); c.round(t) >= delay; {
		if time.Since(began) > 10*time.Second {
			t.Errorf("no round is shorter than %v", delay)
			return
		}
	}
}

// delayed wants a round to take at least so long.
func (c talk) delayed(t testing.TB, delay time.Duration) {
	t.Helper()
	if got := c.round(t); got < delay {
		t.Errorf("a round takes %v, not %v", got, delay)
	}
}

func (c talk) local() Endpoint {
	a := c.LocalAddr().(*net.TCPAddr).AddrPort()
	return Endpoint{Address: a.Addr().Unmap(), Port: a.Port()}
}

// connection is the filter for it.
func (c talk) connection() Filter {
	to := c.RemoteAddr().(*net.TCPAddr).AddrPort()
	return Filter{Connection: &Connection{Protocol: corev1.ProtocolTCP, Local: c.local(), Remote: Endpoint{Address: to.Addr().Unmap(), Port: to.Port()}}}
}

// serve echoes TCP connections in a namespace.
func serve(t testing.TB, ns *netns.Namespace) {
	t.Helper()
	var listener net.Listener
	must(t, ns.Do(func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprint(":", port))
		return err
	}))
	t.Cleanup(func() { must(t, listener.Close()) })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
}

func dial(t testing.TB, from *netns.Namespace, to netip.Addr) talk {
	t.Helper()
	var c net.Conn
	must(t, from.Do(func() (err error) {
		c, err = net.Dial("tcp", netip.AddrPortFrom(to, port).String())
		return err
	}))
	t.Cleanup(func() { must(t, c.Close()) })
	return talk{c}
}

func openLink(t testing.TB, ns *netns.Namespace) *Link {
	t.Helper()
	l, err := Open(ns, PodInterface)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func report(t testing.TB, l *Link, name string) Report {
	t.Helper()
	all, err := l.Show()
	must(t, err)
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("there is no impairment %s", name)
	return Report{}
}

func devices(t testing.TB, ns *netns.Namespace) (names []string) {
	t.Helper()
	must(t, ns.Do(func() (err error) {
		names, err = netns.Links()
		return err
	}))
	return names
}

// count opens UDP sockets at both ends, sends numbered datagrams, and returns which arrived, in their order.
func count(t testing.TB, from, to netnstest.Pod, packets int, pace time.Duration) (got []byte) {
	t.Helper()
	got = make([]byte, packets)
	var listener, sender *net.UDPConn
	must(t, to.Do(func() (err error) {
		listener, err = net.ListenUDP("udp", &net.UDPAddr{Port: port})
		return err
	}))
	defer listener.Close()
	_ = listener.SetReadBuffer(8 << 20)
	must(t, from.Do(func() (err error) {
		sender, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.V4, port)))
		return err
	}))
	defer sender.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for data := make([]byte, 64); ; {
			n, err := listener.Read(data)
			if err != nil {
				return
			}
			if n == 4 {
				got[int(data[0])|int(data[1])<<8|int(data[2])<<16]++
			}
		}
	}()
	for i := range packets {
		_, err := sender.Write([]byte{byte(i), byte(i >> 8), byte(i >> 16), 0})
		must(t, err)
		if pace > 0 {
			time.Sleep(pace)
		} else if pace == 0 && i%100 == 99 {
			time.Sleep(time.Millisecond) // the receiver's share of the processor
		}
	}
	must(t, listener.SetReadDeadline(time.Now().Add(time.Second)))
	<-done
	return got
}

func tally(got []byte) (arrived, duplicated uint64) {
	for _, n := range got {
		if n > 0 {
			arrived++
		}
		if n > 1 {
			duplicated++
		}
	}
	return arrived, duplicated
}

func TestLossToThePacket(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	const packets = 20_000
	for name, loss := range map[string]Loss{
		"random":          {Chance: Chance{Share: 0.03}},
		"Gilbert–Elliott": {GilbertElliott: &GilbertElliott{ToBad: 0.01, ToGood: 0.3, LostBad: 0.5}},
		"four states":     {FourState: &FourState{P13: 0.01, P31: 0.3, P32: 0.2, P23: 0.3, P14: 0.005}},
		"numbered":        {Chance: Chance{Packets: []uint64{0, 1, 63, 64, 19_999}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := openLink(t, pods[0].Namespace)
			filter := Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}
			must(t, l.Set(Impairment{Name: "lossy", Filter: filter, Quality: Quality{Loss: loss, Seed: 7}}))
			got := count(t, pods[0], pods[1], packets, 0)
			arrived, _ := tally(got)
			r := report(t, l, "lossy")
			if r.Counters.Packets != packets || r.Counters.Lost != packets-arrived {
				t.Errorf("%d packets sent, %d arrived; the kernel counted %+v", packets, arrived, r.Counters)
			}
			if bytes := uint64(packets * (14 + 20 + 8 + 4)); r.Counters.Bytes != bytes {
				t.Errorf("%d bytes counted, %d sent", r.Counters.Bytes, bytes)
			}
			drawn := loss.schedule(7)
			if want := drawn.of(packets, loss.once()); r.Counters.Lost != want {
				t.Errorf("%d lost, the seed says %d", r.Counters.Lost, want)
			}
			for i, n := range got {
				if lost := drawn[i/64]>>(i%64)&1 == 1; lost != (n == 0) {
					t.Fatalf("packet %d: lost %v, arrived %d times", i, lost, n)
				}
			}
			if ok, why := r.InForce(); !ok {
				t.Error(why)
			}
		})
	}
}

func TestDuplicationReorderingCorruption(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	l := openLink(t, pods[0].Namespace)
	const packets = 2000
	filter := Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}
	set := func(q Quality) {
		t.Helper()
		must(t, l.Set(Impairment{Name: "bad", Filter: filter, Quality: q}))
	}
	proved := func() Report {
		t.Helper()
		r := report(t, l, "bad")
		if ok, why := r.InForce(); !ok {
			t.Error(why)
		}
		return r
	}
	set(Quality{Duplication: Chance{Share: 0.05}})
	arrived, twice := tally(count(t, pods[0], pods[1], packets, 0))
	if r := proved(); arrived != packets || twice != r.Held.Duplicated {
		t.Errorf("%d arrived, %d twice; %+v", arrived, twice, r.Held)
	}
	set(Quality{Delay: 5 * time.Millisecond, Reordering: Chance{Share: 0.1}})
	if arrived, _ := tally(count(t, pods[0], pods[1], packets, 0)); arrived != packets {
		t.Errorf("%d of %d arrived", arrived, packets)
	}
	proved()
	set(Quality{Corruption: Chance{Share: 0.1}})
	arrived, _ = tally(count(t, pods[0], pods[1], packets, 0))
	// A flip in the address or the lower bits of the port may go elsewhere; the checksum finds all others.
	if r := proved(); packets-arrived > r.Held.Corrupted || packets-arrived < r.Held.Corrupted/2 {
		t.Errorf("%d did not arrive, %d were corrupted", packets-arrived, r.Held.Corrupted)
	}
}

func TestRate(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	serve(t, pods[1].Namespace)
	c := dial(t, pods[0].Namespace, pods[1].V4)
	l := openLink(t, pods[0].Namespace)
	must(t, l.Set(Impairment{Name: "narrow", Filter: c.connection(), Quality: Quality{Rate: 50e6}}))
	data := make([]byte, 2_000_000)
	began := time.Now()
	go func() { _, _ = c.Write(data) }()
	_, err := io.ReadFull(c, make([]byte, len(data)))
	must(t, err)
	got := float64(len(data)) * 8 / time.Since(began).Seconds()
	if got > 50e6 {
		t.Errorf("%.1f Mbit/s went over a line of 50", got/1e6)
	}
	if ok, why := report(t, l, "narrow").InForce(); !ok {
		t.Error(why)
	}
}

// TestNothingIsLeft holds that a Link that is closed leaves no device and no descriptor.
func TestNothingIsLeft(t *testing.T) {
	_, pods := netnstest.Pods(t, 1)
	before, open := devices(t, pods[0].Namespace), descriptors(t)
	l, err := Open(pods[0].Namespace, PodInterface)
	must(t, err)
	for _, d := range []Direction{Out, In} {
		must(t, l.Set(Impairment{Name: string(d), Direction: d, Quality: Quality{Delay: time.Millisecond, Loss: Loss{Chance: Chance{Share: 0.1}}}}))
	}
	if now := descriptors(t); len(now) == len(open) {
		t.Fatal("no descriptor of ours is seen, so this test shows nothing")
	}
	if err := l.Set(Impairment{Name: "wrong", Quality: Quality{Loss: Loss{Chance: Chance{Share: 2}}}}); err == nil {
		t.Error("a share of 2 was taken")
	}
	must(t, l.Close())
	if after := devices(t, pods[0].Namespace); !slices.Equal(before, after) {
		t.Errorf("devices before %v, after %v", before, after)
	}
	if now := descriptors(t); len(now) != len(open) {
		t.Errorf("descriptors before %v, after %v", open, now)
	}
}

// descriptors lists those of kinds that a Link opens.
func descriptors(t testing.TB) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.Contains(target, "bpf") || strings.Contains(target, "tun") || strings.Contains(target, "eventfd")) {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// TestKilled holds that what is attached goes with the process, however that ends.
func TestKilled(t *testing.T) {
	if os.Getenv("FV_IMPAIR") != "" {
		impairUntilKilled(t)
	}
	_, pods := netnstest.Pods(t, 2)
	serve(t, pods[1].Namespace)
	c, before := dial(t, pods[0].Namespace, pods[1].V4), devices(t, pods[0].Namespace)
	child := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	child.Env = append(os.Environ(), "FV_IMPAIR=1")
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, pods[0].Do(child.Start))
	_, err = io.ReadFull(out, make([]byte, len(ready)))
	must(t, err)
	c.delayed(t, 40*time.Millisecond)
	must(t, child.Process.Kill())
	_ = child.Wait()
	c.undelayed(t, 20*time.Millisecond)
	if after := devices(t, pods[0].Namespace); !slices.Equal(before, after) {
		t.Errorf("devices before %v, after %v", before, after)
	}
	must(t, pods[0].Do(func() error {
		eth, err := net.InterfaceByName(PodInterface)
		must(t, err)
		for _, way := range []ebpf.AttachType{ebpf.AttachTCXEgress, ebpf.AttachTCXIngress} {
			left, err := link.QueryPrograms(link.QueryOptions{Target: eth.Index, Attach: way})
			must(t, err)
			if len(left.Programs) > 0 {
				t.Errorf("%v: %d programs are left", way, len(left.Programs))
			}
		}
		return nil
	}))
}

const ready = "impaired\n"

func impairUntilKilled(t *testing.T) {
	here, err := netns.Current()
	must(t, err)
	l, err := Open(here, PodInterface)
	must(t, err)
	for _, d := range []Direction{Out, In} {
		must(t, l.Set(Impairment{Name: string(d), Direction: d, Quality: Quality{Delay: 20 * time.Millisecond}}))
	}
	fmt.Print(ready)
	select {}
}

// TestHeldAgain holds that a delay that ended and is set again is kept for each packet: the kernel's notes of the detour
// before are not taken for those of this one.
func TestHeldAgain(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	serve(t, pods[1].Namespace)
	c, l := dial(t, pods[0].Namespace, pods[1].V4), openLink(t, pods[0].Namespace)
	const delay = 20 * time.Millisecond
	must(t, l.Set(Impairment{Name: "slow", Filter: c.connection(), Quality: Quality{Delay: delay}}))
	c.delayed(t, delay)
	must(t, l.Change("slow", func(q *Quality) { q.Delay = 0 }))
	c.undelayed(t, delay)
	must(t, l.Change("slow", func(q *Quality) { q.Delay = delay }))
	for range 3 {
		c.delayed(t, delay)
	}
}

// TestRefusedFilter holds that what is in force stays as it was when the kernel refuses what is to take its place.
func TestRefusedFilter(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	l := openLink(t, pods[0].Namespace)
	filter := Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}
	must(t, l.Set(Impairment{Name: "lossy", Filter: filter, Quality: Quality{Loss: Loss{Chance: Chance{Packets: []uint64{3, 7}}}}}))
	refused := Filter{Program: asm.Instructions{asm.Return()}} // of what it does not say
	refused.Program = append(asm.Instructions{asm.LoadMem(asm.R2, asm.R3, 0, asm.Word)}, refused.Program...)
	if err := l.Set(Impairment{Name: "lossy", Filter: refused, Quality: Quality{Loss: Loss{Chance: Chance{Share: 1}}}}); err == nil {
		t.Fatal("a program that reads where it must not was taken")
	}
	arrived, _ := tally(count(t, pods[0], pods[1], 10, 0))
	if arrived != 8 {
		t.Errorf("%d of 10 packets arrived, of which two were to be lost", arrived)
	}
}

// TestNothingIsDroppedOnADetour sends in bursts, so that packets enter a detour while it is found empty. They are fewer than its queue holds: how
// soon it is served on a busy machine has no say.
func TestNothingIsDroppedOnADetour(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	l := openLink(t, pods[0].Namespace)
	const packets = 9_000
	filter := Filter{Connection: &Connection{Protocol: corev1.ProtocolUDP}}
	must(t, l.Set(Impairment{Name: "slow", Filter: filter, Quality: Quality{Delay: time.Millisecond}}))
	count(t, pods[0], pods[1], packets, 0)
	r := report(t, l, "slow")
	if r.Counters.Packets != packets || r.Held.Sent != packets || r.Held.Dropped != 0 || r.Held.Waiting != 0 {
		t.Errorf("%+v, %+v", r.Counters, *r.Held)
	}
	if got := r.Held.KernelDelay; got < time.Millisecond {
		t.Errorf("the kernel's mean delay is %v", got)
	}
}
