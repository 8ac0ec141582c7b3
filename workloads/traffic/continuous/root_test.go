//go:build linux

package continuous

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

const port = 8080

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func between(pods []netnstest.Pod, protocol load.Protocol) load.Spec {
	return load.Spec{
		Pairs:   []load.Pair{{From: pods[0].Key, To: netip.AddrPortFrom(pods[1].V4, port)}},
		Servers: []workloads.Key{pods[1].Key}, Protocol: protocol,
	}
}

func run(t testing.TB, plugger *netns.Plugger, s load.Spec) load.Report {
	t.Helper()
	r, err := Run(t.Context(), plugger, s)
	must(t, err)
	return r
}

// whole fails the test unless every message was answered once, in order.
func whole(t testing.TB, r load.Report) {
	t.Helper()
	c := r.Count
	want := load.Count{Due: c.Due, Sent: c.Due, There: load.Way{Arrived: c.Due}, Back: load.Way{Arrived: c.Due}, Late: c.Late}
	if c != want || c.Due == 0 || r.Failed() != 0 {
		t.Errorf("not all is well:\n%s", r)
	}
}

func TestAllIsAccountedFor(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 3)
	before := descriptors(t)
	for _, protocol := range []load.Protocol{load.TCP, load.UDP, load.HTTP} { // no subtests: they would not be on the node
		s := between(pods, protocol)
		s.Pairs = append(s.Pairs, load.Pair{From: pods[2].Key, Source: pods[2].V6, To: netip.AddrPortFrom(pods[1].V6, port)}, load.Pair{To: netip.AddrPortFrom(pods[1].V4, port)})
		s.Connections, s.Rate, s.Size, s.Duration, s.GiveUp = 30, 3000, 1000, 300*time.Millisecond, 2*time.Second
		r := run(t, plugger, s)
		whole(t, r)
		if r.Count.Due != 900 || r.Latency.N() != 900 || len(r.Connections) != 30 || r.Took < s.Duration {
			t.Errorf("due %d, latencies %d, connections %d, took %v", r.Count.Due, r.Latency.N(), len(r.Connections), r.Took)
		}
		for _, c := range r.Connections {
			if c.Due != 30 || c.Cause != load.Done || c.Local.Port() == 0 || c.Remote.Port() != port || c.Server == nil || *c.Server != pods[1].Key || c.Connect <= 0 {
				t.Errorf("got %+v", c)
			}
		}
		if len(r.Samples) < 3 || r.Samples[len(r.Samples)-1].Active != 30 {
			t.Errorf("samples: %+v", r.Samples)
		}
	}
	if now := descriptors(t); !slices.Equal(before, now) {
		t.Errorf("descriptors before %v, after %v", before, now)
	}
}

func descriptors(t testing.TB) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open = append(open, target)
		}
	}
	slices.Sort(open)
	return open
}

// TestPlanted holds that what is done to packets on purpose is found, exactly.
func TestPlanted(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	numbers := func(from, count, step uint64) (all []uint64) {
		for i := range count {
			all = append(all, from+i*step)
		}
		return all
	}
	for name, c := range map[string]struct {
		direction impair.Direction
		quality   impair.Quality
		want      func(*load.Count)
		hole      time.Duration
	}{
		"37 packets lost": {impair.Out, impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Packets: numbers(10, 37, 11)}}},
			func(c *load.Count) { c.There.Lost = 37 }, time.Millisecond},
		"37 answers lost": {impair.In, impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Packets: numbers(10, 37, 11)}}},
			func(c *load.Count) { c.Back.Lost = 37 }, time.Millisecond},
		"one duplicate": {impair.Out, impair.Quality{Duplication: impair.Chance{Packets: []uint64{100}}},
			func(c *load.Count) { c.There.Duplicated = 1 }, 0},
		"a hole of 80 ms": {impair.Out, impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Packets: numbers(200, 80, 1)}}},
			func(c *load.Count) { c.There.Lost = 80 }, 80 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
			must(t, err)
			defer func() { must(t, link.Close()) }()
			filter := impair.Filter{Connection: &impair.Connection{Protocol: corev1.ProtocolUDP, Remote: impair.Endpoint{Port: port}}}
			must(t, link.Set(impair.Impairment{Name: "planted", Direction: c.direction, Filter: filter, Quality: c.quality}))
			s := between(pods, load.UDP)
			s.Rate, s.Duration, s.GiveUp, s.Late = 1000, 500*time.Millisecond, 2*time.Second, 2*time.Second
			r := run(t, plugger, s)
			want := load.Count{Due: 500, Sent: 500}
			c.want(&want)
			want.There.Arrived = want.Sent - want.There.Lost
			want.Back.Arrived = want.There.Arrived - want.Back.Lost
			got := r.Count
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if (r.Hole.Took - c.hole).Abs() > time.Microsecond {
				t.Errorf("a hole of %v, want %v", r.Hole.Took, c.hole)
			}
			if got, err := link.Show(); err != nil || got[0].Counters.Packets != map[impair.Direction]uint64{impair.Out: 500, impair.In: want.There.Arrived}[c.direction] {
				t.Errorf("the kernel counted %+v (%v)", got[0].Counters, err)
			}
		})
	}
}

// TestOneReordering plants exactly one: the second of two packets overtakes the first.
func TestOneReordering(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
	must(t, err)
	defer func() { must(t, link.Close()) }()
	filter := impair.Filter{Connection: &impair.Connection{Protocol: corev1.ProtocolUDP, Remote: impair.Endpoint{Port: port}}}
	must(t, link.Set(impair.Impairment{Name: "planted", Filter: filter, Quality: impair.Quality{Delay: 750 * time.Millisecond, Reordering: impair.Chance{Packets: []uint64{2}}}}))
	s := between(pods, load.UDP)
	s.Rate, s.Duration, s.GiveUp, s.Late = 2, 1600*time.Millisecond, 3*time.Second, 3*time.Second
	if r := run(t, plugger, s); r.Count.There.Reordered != 1 || r.Count.Lost() != 0 {
		t.Errorf("got:\n%s", r)
	}
}

func TestStalledTCP(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
	must(t, err)
	defer func() { must(t, link.Close()) }()
	s := between(pods, load.TCP)
	s.Connections, s.Rate, s.Late = 2, 400, 20*time.Millisecond
	l, err := Start(t.Context(), plugger, s)
	must(t, err)
	time.Sleep(200 * time.Millisecond)
	must(t, link.Set(impair.Impairment{Name: "stall", Quality: impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 1}}}}))
	time.Sleep(300 * time.Millisecond)
	must(t, link.Clear("stall"))
	time.Sleep(600 * time.Millisecond)
	r, err := l.Stop()
	must(t, err)
	if r.Count.Lost() != 0 || r.Failed() != 0 {
		t.Errorf("TCP lost something:\n%s", r)
	}
	for _, c := range r.Connections {
		if c.Retransmits == 0 || c.Hole.Took < 200*time.Millisecond || c.MaxTook < 200*time.Millisecond || c.Late == 0 {
			t.Errorf("got %+v", c)
		}
	}
}

func TestRefusedAndBegunAgain(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	s := between(pods, load.TCP)
	s.Servers = nil
	s.Connections, s.Reconnects, s.ReconnectWait, s.Duration = 2, 3, 20*time.Millisecond, time.Second
	r := run(t, plugger, s)
	if len(r.Connections) != 8 || r.Failed() != 8 || r.Count.Missed != r.Count.Due || r.Count.Due != 100 {
		t.Errorf("got:\n%s", r)
	}
	for _, c := range r.Connections {
		if c.Cause != load.Refused {
			t.Errorf("got %+v", c)
		}
	}
	if broken := (load.Budget{Lost: new(uint64), Failed: new(int)}).Breaks(r); len(broken) != 2 {
		t.Errorf("broken: %v", broken)
	}
}

func TestIdle(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	s := between(pods, load.TCP)
	s.Idle, s.Connections, s.Duration, s.ConnectRate = true, 2000, 200*time.Millisecond, 20_000
	r := run(t, plugger, s)
	whole(t, r)
	if r.Count.Due != 2000 || r.Connect.N() != 2000 {
		t.Errorf("got:\n%s", r)
	}
}

func TestClosedLoopAndCapacity(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	for _, protocol := range []load.Protocol{load.TCP, load.UDP} {
		s := between(pods, protocol)
		s.Capacity, s.Duration, s.GiveUp = true, 50*time.Millisecond, 50*time.Millisecond
		if r := run(t, plugger, s); r.Capacity == 0 || r.Count.Due != 5 {
			t.Errorf("%s: the capacity is not known:\n%s", protocol, r)
		}
	}
	s := between(pods, load.UDP)
	s.Rate, s.Duration, s.GiveUp = 5e6, 200*time.Millisecond, 50*time.Millisecond
	if r := run(t, plugger, s); r.Bottleneck == "" {
		t.Errorf("five million messages a second are said to be possible:\n%s", r)
	}
}

func TestEnds(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := Run(ctx, plugger, between(pods, load.TCP))
	must(t, err)
	whole(t, r)
	missing := between(pods, load.TCP)
	missing.Servers = []workloads.Key{{Name: "nobody"}}
	if _, err := Run(t.Context(), plugger, missing); err == nil {
		t.Error("a server without a pod is taken")
	}
	two := between(pods, load.TCP)
	first, err := Start(t.Context(), plugger, two)
	must(t, err)
	if _, err := Start(t.Context(), plugger, two); err == nil {
		t.Error("two servers are on a port")
	}
	_, err = first.Stop()
	must(t, err)
}

// TestStopped holds that traffic ends when it is told to, whatever its duration, and that it touches no file afterwards.
func TestStopped(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	s := between(pods, load.TCP)
	s.Duration = time.Minute
	l, err := Start(t.Context(), plugger, s)
	must(t, err)
	r, err := l.Stop()
	must(t, err)
	if r.Took >= s.Duration {
		t.Errorf("stopped, it went on for %v", r.Took)
	}
	others, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	must(t, err)
	defer unix.Close(others)
	if others != l.wake {
		if _, err := unix.FcntlInt(uintptr(l.wake), unix.F_GETFD, 0); err == nil {
			t.Skip("the number is in use again")
		}
		must(t, unix.Dup3(others, l.wake, unix.O_CLOEXEC))
		defer unix.Close(l.wake)
	}
	_, err = l.Stop()
	must(t, err)
	if n, err := unix.Read(others, make([]byte, 8)); n > 0 {
		t.Errorf("a file that is not the traffic's was written to (%v)", err)
	}
}

// TestStoppedWhileConnecting wants a connection that was begun when the end came to say its word all the same.
func TestStoppedWhileConnecting(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
	must(t, err)
	defer func() { must(t, link.Close()) }()
	must(t, link.Set(impair.Impairment{Name: "slow", Quality: impair.Quality{Delay: 50 * time.Millisecond}}))
	s := between(pods, load.TCP)
	s.Idle, s.GiveUp = true, 20*time.Second
	l, err := Start(t.Context(), plugger, s)
	must(t, err)
	r, err := l.Stop()
	must(t, err)
	whole(t, r)
}

// TestBegunAgainMeanwhile wants every connection to be begun, though some are begun again before others are for the first
// time.
func TestBegunAgainMeanwhile(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	s := between(pods, load.TCP)
	s.Servers = nil
	s.Connections, s.ConnectRate, s.Reconnects, s.ReconnectWait, s.Duration = 4, 20, 2, time.Millisecond, 100*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := Run(ctx, plugger, s)
	must(t, err)
	begun := map[int]bool{}
	for _, c := range r.Connections {
		begun[c.Number] = true
	}
	if len(begun) != 4 || r.Count.Due != 10 {
		t.Errorf("begun %v:\n%s", begun, r)
	}
}

// TestLargeMessageInAClosedLoop wants a message for which the socket has no room at once to be sent nevertheless.
func TestLargeMessageInAClosedLoop(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	s := between(pods, load.TCP)
	s.Closed, s.Size, s.Duration, s.GiveUp = true, 32<<20, 200*time.Millisecond, 20*time.Second
	whole(t, run(t, plugger, s))
}

// TestLook wants each connection to be told of amid its traffic: what it sent and had answered, and how long that took since the look before, of one
// that is delayed no less than its delay.
func TestLook(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	for _, protocol := range []load.Protocol{load.TCP, load.UDP} {
		t.Run(string(protocol), func(t *testing.T) {
			spec := between(pods, protocol)
			spec.Connections, spec.Rate = 3, 300
			l, err := Start(t.Context(), plugger, spec)
			must(t, err)
			for all := l.Look(); len(all) < 3 || all[2].Back.Arrived == 0; all = l.Look() {
				time.Sleep(time.Millisecond)
			}
			ns, _ := plugger.Namespace(pods[0].Key)
			link, err := impair.Open(ns, impair.PodInterface)
			must(t, err)
			defer link.Close()
			slow := l.Look()[1]
			const delay = 50 * time.Millisecond
			must(t, link.Set(impair.Impairment{Name: "slow", Quality: impair.Quality{Delay: delay}, Filter: impair.Filter{
				Connection: &impair.Connection{Local: impair.Endpoint{Address: slow.Local.Addr(), Port: slow.Local.Port()}},
			}}))
			before := l.Look()
			for all := before; all[1].Back.Arrived < before[1].Back.Arrived+40; all = l.Look() {
				for i, c := range all {
					if c.Number != i || !c.Stands || c.Cause != "" || c.Local == (netip.AddrPort{}) || c.Back.Arrived > c.Due {
						t.Fatalf("%+v", c)
					}
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(10 * delay) // some answers of each
			all := l.Look()
			if n := len(all[0].Answers); n == 0 || slices.Min(all[0].Answers) >= delay {
				t.Errorf("another connection: %d answers, %v", n, all[0].Answers)
			}
			if n := len(all[1].Answers); n == 0 || slices.Min(all[1].Answers) < delay {
				t.Errorf("the slow one: %d answers, %v", n, all[1].Answers)
			}
			r, err := l.Stop()
			must(t, err)
			whole(t, r)
			if l.Look() != nil {
				t.Error("there is something to look at after the end")
			}
		})
	}
}
