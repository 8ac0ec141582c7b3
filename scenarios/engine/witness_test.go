package engine

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

	"github.com/nodefv/nodefv/workloads"
)

// town is a state of two local pods that may talk.
func town() (workloads.State, Flow) {
	s := workloads.NewState("here")
	s.Namespaces["ns"] = workloads.Namespace{Name: "ns"}
	for i, name := range []string{"a", "b"} {
		k := workloads.Key{Namespace: "ns", Name: name}
		s.Pods[k] = workloads.Pod{Key: k, Node: "here", Labels: map[string]string{"name": name}, IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}}
	}
	a, b := s.Pods[workloads.Key{Namespace: "ns", Name: "a"}], s.Pods[workloads.Key{Namespace: "ns", Name: "b"}]
	return s, Flow{From: End{Key: a.Key, Addr: a.IPs[0]}, To: End{Key: b.Key, Addr: b.IPs[0]}, Protocol: corev1.ProtocolUDP, Port: 8080}
}

// closing returns the state with a policy by which nothing comes in.
func closing(s workloads.State, name string) workloads.State {
	s = s.Clone()
	k := workloads.Key{Namespace: "ns", Name: name}
	s.Policies[k] = workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}}
	return s
}

func without(s workloads.State, k workloads.Key) workloads.State {
	s = s.Clone()
	delete(s.Pods, k)
	return s
}

func TestLaw(t *testing.T) {
	open, stream := town()
	closed := closing(open, "closed")
	reused := without(open, stream.To.Key)
	c := open.Pods[stream.To.Key]
	c.Key.Name = "c"
	reused.Pods[c.Key] = c
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	const both = mayPass | mayDrop
	for name, c := range map[string]struct {
		states []workloads.State // one each 100 ms, acknowledged 10 ms after; the deadline is 20 ms
		want   map[int]legal
	}{
		"nothing changes":                               {[]workloads.State{open, open}, map[int]legal{0: mayPass, 101: mayPass, 500: mayPass}},
		"a policy comes":                                {[]workloads.State{open, closed}, map[int]legal{99: mayPass, 100: both, 130: both, 131: mayDrop}},
		"a policy goes":                                 {[]workloads.State{closed, open}, map[int]legal{99: mayDrop, 101: both, 131: mayPass}},
		"a second policy of one meaning":                {[]workloads.State{closed, closing(closed, "more")}, map[int]legal{99: mayDrop, 105: mayDrop, 200: mayDrop}},
		"a policy is replaced by another in one change": {[]workloads.State{closed, closing(open, "other")}, map[int]legal{99: mayDrop, 105: both, 131: mayDrop}},
		"the source goes":                               {[]workloads.State{open, without(open, stream.From.Key)}, map[int]legal{99: mayPass, 105: both, 131: mayDrop}},
		"a closed pod comes":                            {[]workloads.State{without(closed, stream.To.Key), closed}, map[int]legal{99: mayDrop, 105: mayDrop, 131: mayDrop}},
		"an open pod comes":                             {[]workloads.State{without(open, stream.To.Key), open}, map[int]legal{99: mayDrop, 105: both, 131: mayPass}},
		"the address is used again":                     {[]workloads.State{open, without(open, stream.To.Key), reused}, map[int]legal{105: both, 150: mayDrop, 205: both, 231: mayPass}},
		"there and back":                                {[]workloads.State{open, closed, open}, map[int]legal{150: mayDrop, 205: both, 231: mayPass}},
	} {
		l := newLaw(stream, c.states[0], begin)
		for i, s := range c.states[1:] {
			when := at(100 * (i + 1))
			if span := l.change("test", when, c.states[i], s, workloads.NewIndex(s)); span != nil {
				span.acked = when.Add(10 * time.Millisecond)
			}
		}
		for ms, want := range c.want {
			if got := l.at(at(ms), 20*time.Millisecond); got != want {
				t.Errorf("%s: after %d ms: got %b, want %b", name, ms, got, want)
			}
		}
		last := len(c.states)*100 + 50
		l.forget(at(last), 20*time.Millisecond)
		if got := l.at(at(last), 20*time.Millisecond); len(l.spans) != 1 || got == both {
			t.Errorf("%s: %d spans are left, %b", name, len(l.spans), got)
		}
	}
}

func TestChangeUnderWayAllowsBoth(t *testing.T) {
	open, stream := town()
	l := newLaw(stream, open, time.Now())
	closed := closing(open, "closed")
	l.change("test", time.Now(), open, closed, workloads.NewIndex(closed))
	if got := l.at(time.Now().Add(time.Hour), time.Second); got != mayPass|mayDrop {
		t.Errorf("got %b", got)
	}
}

// TestChangesThatCancelOut wants no comparison to be proof of changes that lead to what was there before them, until an agent that
// has seen neither would lag behind too far; and to be proof of others.
func TestChangesThatCancelOut(t *testing.T) {
	open, stream := town()
	closed := closing(open, "closed")
	for name, c := range map[string]struct {
		states []workloads.State
		proof  bool
	}{
		"a policy comes":                         {[]workloads.State{open, closed}, true},
		"it comes and goes":                      {[]workloads.State{open, closed, open}, false},
		"another comes meanwhile":                {[]workloads.State{open, closed, closing(closed, "other"), closing(open, "other")}, false},
		"it comes, goes and comes":               {[]workloads.State{open, closed, open, closed}, false},
		"a pod goes and its twin comes":          {[]workloads.State{open, without(open, stream.To.Key), open}, false},
		"one policy comes, another, and it goes": {[]workloads.State{closing(open, "other"), closing(closed, "other"), closed}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &witness{deadline: time.Hour, state: c.states[0], laws: map[Flow]*law{stream: newLaw(stream, c.states[0], time.Now())}, nudge: make(chan struct{}, 1)}
				for i, s := range c.states[1:] {
					v.changed("test", c.states[i], s)()
					time.Sleep(time.Millisecond)
				}
				v.converged(time.Now())
				time.Sleep(time.Millisecond)
				is := verdictOf(stream, v.state, workloads.NewIndex(v.state))
				if got := v.laws[stream].at(time.Now(), v.deadline); (got == is) != c.proof {
					t.Errorf("%b is legal, the model says %b", got, is)
				}
				time.Sleep(doubtFor)
				v.converged(time.Now())
				time.Sleep(time.Millisecond)
				if got := v.laws[stream].at(time.Now(), v.deadline); got != is || len(v.recent) > 0 {
					t.Errorf("%b is legal in the end, the model says %b; %d changes are left", got, is, len(v.recent))
				}
			})
		})
	}
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

func (*channel) Settle() error { return nil }

func (c *channel) streams() map[Flow]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.open)
}

func (c *channel) send(s Flow, arrived bool, packets int) {
	for range packets {
		c.mu.Lock()
		c.seen = append(c.seen, Observation{Flow: s, Sent: time.Now(), Arrived: arrived})
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func TestWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirror(t)
		c := &channel{open: map[Flow]bool{}, deaf: true}
		m.world.Streamer = c
		v := startWitness(context.Background(), m.world)
		time.Sleep(time.Second)
		if len(c.streams()) != 0 {
			t.Error("streams are open whose ends are not there")
		}
		c.mu.Lock()
		c.deaf = false
		c.mu.Unlock()
		time.Sleep(time.Second)
		s := m.world.Fleet.State()
		x := workloads.NewIndex(s)
		var passes, stays Flow
		for stream := range c.streams() {
			if verdictOf(stream, s, x) == mayPass {
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
		v.stop(m.world)
		if len(c.streams()) != 0 {
			t.Errorf("left open: %v", c.streams())
		}
	})
}

// TestWitnessOutlivesTheSUT wants packets to be taken until the watch is stopped: streams send until then.
func TestWitnessOutlivesTheSUT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirror(t)
		c := &channel{open: map[Flow]bool{}}
		m.world.Streamer = c
		ctx, died := context.WithCancel(context.Background())
		v := startWitness(ctx, m.world)
		time.Sleep(time.Second)
		died()
		for stream := range c.streams() {
			c.send(stream, true, 3)
		}
		time.Sleep(time.Second)
		if left := c.Observe(); len(left) > 0 {
			t.Errorf("%d packets were not taken", len(left))
		}
		v.stop(m.world)
	})
}

func TestCutsOfIPv6(t *testing.T) {
	s, flow := town()
	for i, e := range []*End{&flow.From, &flow.To} {
		p := s.Pods[e.Key]
		e.Addr = netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i)})
		p.IPs = []netip.Addr{e.Addr}
		s.Pods[e.Key] = p
	}
	now := time.Now()
	v := &witness{laws: map[Flow]*law{flow: newLaw(flow, s, now)}, judged: map[Flow]int{}, excuses: true}
	w := &World{witness: v}
	for i, want := range []int{0, 1} {
		v.judge([]Observation{{Flow: flow, Sent: now.Add(time.Duration(i) * time.Second)}})
		if f, _ := v.finding(); f.Differing != want {
			t.Errorf("found %+v, want %d", f, want)
		}
		w.JudgeCuts()
	}
	shut := closing(s, "shut")
	v = &witness{laws: map[Flow]*law{flow: newLaw(flow, shut, now)}, judged: map[Flow]int{}, excuses: true}
	v.judge([]Observation{{Flow: flow, Sent: now, Arrived: true}})
	if f, _ := v.finding(); f.Differing != 1 {
		t.Errorf("a leak is excused: %+v", f)
	}
}
