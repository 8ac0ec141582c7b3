package effects

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// town is a state of two local pods that may talk.
func town() (workloads.State, Flow) {
	s := workloads.NewState("here")
	s.Put(workloads.Namespace{Name: "ns"})
	for i, name := range []string{"a", "b"} {
		k := workloads.Key{Namespace: "ns", Name: name}
		s.Put(workloads.Pod{Key: k, Node: "here", Labels: map[string]string{"name": name}, IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}})
	}
	a, b := s.Pods().Get(workloads.Key{Namespace: "ns", Name: "a"}), s.Pods().Get(workloads.Key{Namespace: "ns", Name: "b"})
	return s, Flow{From: End{Key: a.Key, Addr: a.IPs[0]}, To: End{Key: b.Key, Addr: b.IPs[0]}, Protocol: corev1.ProtocolUDP, Port: 8080}
}

// closing returns the state with a policy by which nothing comes in.
func closing(s workloads.State, name string) workloads.State {
	k := workloads.Key{Namespace: "ns", Name: name}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}})
	return s
}

func without(s workloads.State, k workloads.Key) workloads.State {
	s.Remove(workloads.PodKind.Part(k))
	return s
}

// channel carries what the test puts into it.
type channel struct {
	mu   sync.Mutex
	open map[Flow]bool
	seen []Observation
	deaf bool // no end is plugged
}

func (c *channel) Start(s Flow, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		return os.ErrNotExist
	}
	c.open[s] = true
	return nil
}

func (c *channel) Stop(s Flow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, s)
}

func (c *channel) Observe() []Observation {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

func (*channel) Drain() error { return nil }

func (c *channel) streams() map[Flow]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.open)
}

func (c *channel) send(s Flow, arrived bool, packets int) {
	for range packets {
		c.mu.Lock()
		c.seen = append(c.seen, Observation{Flow: s, Sent: time.Now(), Gone: time.Now(), Arrived: arrived})
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirror(t)
		c := &channel{open: map[Flow]bool{}, deaf: true}
		v := startWatch(context.Background(), m.world.Fleet, c, nil)
		time.Sleep(time.Second)
		if len(c.streams()) != 0 {
			t.Error("streams are open whose ends are not there")
		}
		c.mu.Lock()
		c.deaf = false
		c.mu.Unlock()
		time.Sleep(time.Second)
		s := m.world.Fleet.State()
		var passes, stays Flow
		for stream := range c.streams() {
			if verdictOf(stream, s) == mayPass {
				passes = stream
			} else {
				stays = stream
			}
		}
		if passes.Port == 0 || stays.Port == 0 {
			t.Fatalf("streams: %v", c.streams())
		}
		c.send(passes, true, 20)
		c.send(stays, false, 20)
		time.Sleep(time.Second)
		if f, ok := v.finding(); !ok || f.Facts != 2 || f.Differing != 0 {
			t.Errorf("got %+v", f)
		}
		c.send(stays, true, 7)
		time.Sleep(time.Second)
		c.send(passes, false, 3)
		time.Sleep(time.Second)
		f, _ := v.finding()
		if f.Differing != 2 || !strings.HasPrefix(f.Differences[0].Got, "7 packets passed within 6ms") || !strings.HasPrefix(f.Differences[1].Got, "3 packets were dropped within 2ms") {
			t.Errorf("got %+v", f)
		}
		v.Stop()
		if len(c.streams()) != 0 {
			t.Errorf("left open: %v", c.streams())
		}
	})
}

// TestWatchOutlivesTheSUT wants packets to be taken until the watch is stopped: streams send until then.
func TestWatchOutlivesTheSUT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirror(t)
		c := &channel{open: map[Flow]bool{}}
		ctx, died := context.WithCancel(context.Background())
		v := startWatch(ctx, m.world.Fleet, c, nil)
		time.Sleep(time.Second)
		died()
		for stream := range c.streams() {
			c.send(stream, true, 3)
		}
		time.Sleep(time.Second)
		if left := c.Observe(); len(left) > 0 {
			t.Errorf("%d packets were not taken", len(left))
		}
		v.Stop()
	})
}

// TestKnownIssues wants what a known issue explains to be excused and counted, until all is to be judged; and nothing else.
func TestKnownIssues(t *testing.T) {
	s, flow := town()
	for i, e := range []*End{&flow.From, &flow.To} {
		p := s.Pods().Get(e.Key)
		e.Addr = netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i)})
		p.IPs = []netip.Addr{e.Addr}
		s.Put(p)
	}
	known := []report.KnownIssue{{Name: "cuts", Reference: "there", Excuses: report.ViolationClass{Family: report.IPv6, Met: report.Dropped}}}
	watch := func(s workloads.State) *streamWatch {
		h := newHistory(s, time.Second)
		return &streamWatch{history: h, verdicts: map[Flow]*flowVerdicts{flow: h.verdictsOf(flow)}, known: known}
	}
	now := time.Now()
	v := watch(s)
	for i, excused := range []int{1, 0} {
		v.judge([]Observation{{Flow: flow, Sent: now.Add(time.Duration(i) * time.Second)}})
		f, _ := v.finding()
		if f.Differing != 1-excused || len(f.Excused) != excused {
			t.Errorf("found %+v, want %d excused", f, excused)
		}
		if excused == 1 && (f.Excused[0].Issue != "cuts" || f.Excused[0].Packets != 1 || f.Excused[0].Examples[0].Violation.Family != report.IPv6) {
			t.Errorf("excused %+v", f.Excused[0])
		}
		v.judgeAll()
	}
	v = watch(closing(s, "shut"))
	v.judge([]Observation{{Flow: flow, Sent: now, Gone: now, Arrived: true}})
	if f, _ := v.finding(); f.Differing != 1 || len(f.Excused) > 0 {
		t.Errorf("a leak is excused: %+v", f)
	}
}

// TestVerdictsAreForgotten wants nothing to be kept of a stream that is wanted no more, whether it was ever open or not.
func TestVerdictsAreForgotten(t *testing.T) {
	for name, deaf := range map[string]bool{"it was open": false, "it was never open": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t)
				v := startWatch(context.Background(), m.world.Fleet, &channel{open: map[Flow]bool{}, deaf: deaf}, nil)
				_, flow := town()
				v.follow(flow, time.Second)
				time.Sleep(2 * disorder)
				v.mu.Lock()
				kept := v.verdicts[flow] != nil
				v.mu.Unlock()
				v.unfollow(flow)
				time.Sleep(2 * disorder)
				v.Stop()
				if !kept || v.verdicts[flow] != nil || len(v.verdicts) != len(v.sample) || len(v.closed) > 0 {
					t.Errorf("it was kept while it was wanted: %v; %d verdicts are left for a sample of %d, %d are closed", kept, len(v.verdicts), len(v.sample), len(v.closed))
				}
			})
		})
	}
}

// TestAgentAway wants the watch to know that the agent is away, and that it is back.
func TestAgentAway(t *testing.T) {
	s, _ := town()
	v := &streamWatch{history: newHistory(s, time.Minute)}
	v.Leave()
	if !v.history.away {
		t.Error("it is not known to be away")
	}
	v.Back()
	if v.history.away {
		t.Error("it is taken to be away still")
	}
}

// TestNothingWatched wants a scenario that wanted streams, and of which none was judged, to say so: it is no pass if there was time enough.
func TestNothingWatched(t *testing.T) {
	for name, c := range map[string]struct {
		lasts  time.Duration
		agreed bool
		fault  bool
	}{
		"long enough":         {2 * time.Second, true, true},
		"short":               {300 * time.Millisecond, true, false},
		"ends were not there": {2 * time.Second, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t)
				v := startWatch(context.Background(), m.world.Fleet, &channel{open: map[Flow]bool{}, deaf: true}, nil)
				time.Sleep(c.lasts / 2)
				if c.agreed {
					v.Agreed(time.Now())
				}
				time.Sleep(c.lasts / 2)
				v.Stop()
				time.Sleep(3 * time.Minute) // the clean-up
				var found []report.Finding
				if err := v.Drain(func(f report.Finding) { found = append(found, f) }); err != nil {
					t.Fatal(err)
				}
				if len(found) != 1 || (found[0].Error != "") != c.fault || (found[0].Note != "") == c.fault {
					t.Errorf("found %+v", found)
				}
			})
		})
	}
}

// slow is a channel of which an observation is taken some time before it is handed over.
type slow struct {
	channel
	taken chan struct{}
}

func (s *slow) Observe() []Observation {
	seen := s.channel.Observe()
	if len(seen) > 0 {
		close(s.taken)
		time.Sleep(100 * time.Millisecond)
	}
	return seen
}

func TestDrainTellsOfPacketsThatAreJustTaken(t *testing.T) {
	m := newMirror(t)
	c := &slow{channel{open: map[Flow]bool{}, deaf: true}, make(chan struct{})}
	v := startWatch(t.Context(), m.world.Fleet, c, nil)
	defer v.Stop()
	f := Flow{Port: 1}
	v.follow(f, time.Second)
	known := func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.verdicts[f] != nil
	}
	for begun := time.Now(); !known(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the flow is not watched")
		}
	}
	c.send(f, true, 1)
	<-c.taken
	judged := 0
	_ = v.Drain(func(f report.Finding) {
		if f.Packets != nil {
			judged += f.Packets.Judged
		}
	})
	if judged != 1 {
		t.Errorf("told of %d packets, want 1", judged)
	}
}
