package effects

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/nodefv/nodefv/workloads"
)

// timeline is a history in which each of some states follows the one before after 100 ms, and is acknowledged 10 ms later; the deadline is
// 20 ms.
type timeline struct {
	*history
	begin time.Time
}

func newTimeline(states ...workloads.State) timeline {
	l := timeline{newHistory(states[0], 20*time.Millisecond), time.Now()}
	for i, s := range states[1:] {
		at := l.begin.Add(time.Duration(100*(i+1)) * time.Millisecond)
		if c := l.history.begin("test", at, s); c != nil {
			l.acknowledge(c, at.Add(10*time.Millisecond))
		}
	}
	return l
}

// verdictOf asks the oracle of a state.
func verdictOf(f Flow, s workloads.State) legal {
	return newHistory(s, 0).verdictsOf(f).at(span{}).legal
}

func (l timeline) at(ms int) span {
	t := l.begin.Add(time.Duration(ms) * time.Millisecond)
	return span{t, t}
}

func TestLaw(t *testing.T) {
	open, stream := town()
	closed := closing(open, "closed")
	reused := without(open, stream.To.Key)
	c := open.Pods().Get(stream.To.Key)
	c.Key.Name = "c"
	reused.Put(c)
	const both = either
	for name, c := range map[string]struct {
		states []workloads.State
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
		// The first change was never seen to hold, and must hold all the same: it makes nothing of the second doubtful.
		"a change long ago": {[]workloads.State{open, closed, closing(closed, "more")}, map[int]legal{105: both, 150: mayDrop, 205: mayDrop, 231: mayDrop}},
	} {
		l := newTimeline(c.states...)
		verdicts := l.verdictsOf(stream)
		for ms, want := range c.want {
			if got := verdicts.at(l.at(ms)).legal; got != want {
				t.Errorf("%s: after %d ms: got %b, want %b", name, ms, got, want)
			}
		}
		last := len(c.states)*100 + 50
		l.forget(l.at(last).from.Add(disorder))
		if got := verdicts.at(l.at(last)).legal; len(l.changes) > 0 || len(l.touched) > 0 || got == both {
			t.Errorf("%s: %d changes are left, %b", name, len(l.changes), got)
		}
		if got := verdicts.at(l.at(0)).legal; len(c.states) > 2 && got != both {
			t.Errorf("%s: %b is legal for a packet of which it is not known any more", name, got)
		}
	}
}

func TestChangeUnderWayAllowsBoth(t *testing.T) {
	open, stream := town()
	h, now := newHistory(open, time.Second), time.Now()
	h.begin("test", now, closing(open, "closed"))
	if got := h.verdictsOf(stream).at(span{now.Add(time.Hour), now.Add(time.Hour)}).legal; got != either {
		t.Errorf("got %b", got)
	}
}

// TestDeadlineWaitsForTheAgent lets the agent be away from 1000 ms to 2000 ms: what need not be in force when it goes has the whole deadline once it
// is back, and what must be stays so. Each packet is judged at once, and again in the end.
func TestDeadlineWaitsForTheAgent(t *testing.T) {
	open, stream := town()
	for acked, packets := range map[int]map[int]legal{ // of a change that begins 10 ms earlier
		900:  {889: mayPass, 920: either, 921: mayDrop, 1500: mayDrop, 2010: mayDrop},
		985:  {970: mayPass, 990: either, 1500: either, 2020: either, 2021: mayDrop},
		1500: {1480: mayPass, 1495: either, 1600: either, 2020: either, 2021: mayDrop},
		2100: {1500: mayPass, 2080: mayPass, 2120: either, 2121: mayDrop},
	} {
		l := newTimeline(open)
		verdicts := l.verdictsOf(stream)
		judge := func(ms int) {
			if got := verdicts.at(l.at(ms)).legal; got != packets[ms] {
				t.Errorf("acknowledged after %d ms: after %d ms got %b, want %b", acked, ms, got, packets[ms])
			}
		}
		var c *change
		steps := map[int]func(time.Time){
			acked - 10: func(at time.Time) { c = l.history.begin("test", at, closing(open, "closed")) },
			acked:      func(at time.Time) { l.acknowledge(c, at) },
			1000:       l.leave,
			2000:       l.back,
		}
		for ms := range 2200 {
			if step := steps[ms]; step != nil {
				step(l.at(ms).from)
			}
			if packets[ms] != 0 {
				judge(ms)
			}
		}
		for ms := range packets {
			judge(ms)
		}
	}
}

// TestPacketHeldUp wants a packet to be judged by what was legal at any time while it was given to the kernel.
func TestPacketHeldUp(t *testing.T) {
	open, stream := town()
	l := newTimeline(open, closing(open, "closed"))
	verdicts := l.verdictsOf(stream)
	for want, t1 := range map[legal][2]int{mayPass: {0, 99}, either: {99, 105}, mayDrop: {140, 150}} {
		if got := verdicts.at(span{l.at(t1[0]).from, l.at(t1[1]).from}).legal; got != want {
			t.Errorf("sent between %d and %d ms: got %b, want %b", t1[0], t1[1], got, want)
		}
	}
	if got := verdicts.at(span{l.at(99).from, l.at(200).from}).legal; got != either {
		t.Errorf("held up for the whole change: got %b", got)
	}
}

// TestTwoChangesUnderWay wants what no combination of old and new allows to be a leak, and what all allow to be no drop.
func TestTwoChangesUnderWay(t *testing.T) {
	open, stream := town()
	for name, c := range map[string]struct {
		states []workloads.State // after the first, all are under way at once
		want   legal
	}{
		"two policies of another pod":          {[]workloads.State{open, closingPod(open, "a", "other"), selecting(open, "y", "other", "a")}, mayPass},
		"denied whatever of two is in force":   {[]workloads.State{closing(open, "closed"), selecting(closing(open, "closed"), "x", "b", "nobody"), selecting(closing(open, "closed"), "y", "b", "nobody")}, mayDrop},
		"allowed whatever of two is in force":  {[]workloads.State{selecting(open, "allows", "b", "a"), closing(selecting(open, "allows", "b", "a"), "x"), closing(closing(selecting(open, "allows", "b", "a"), "x"), "y")}, mayPass},
		"one goes before the other comes":      {[]workloads.State{selecting(open, "old", "b", "a"), open, closing(open, "new")}, either},
		"what allows comes before it may deny": {[]workloads.State{open, selecting(open, "x", "b", "a"), withoutPolicy(selecting(open, "x", "b", "a"), "x")}, mayPass},
	} {
		h, now := newHistory(c.states[0], time.Hour), time.Now()
		for _, s := range c.states[1:] {
			h.acknowledge(h.begin("test", now, s), now)
		}
		if got := h.verdictsOf(stream).at(span{now, now}).legal; got != c.want {
			t.Errorf("%s: got %b, want %b", name, got, c.want)
		}
	}
}

// closingPod closes one pod, which may be another than that of the stream.
func closingPod(s workloads.State, policy, pod string) workloads.State {
	return selecting(s, policy, pod, "nobody")
}

// TestFormerTenantOfTheSource wants a packet from an address that was another pod's to be taken for that one's, as long as an agent may: a remote
// client is deleted, and a remote pod that may send nothing takes its address.
func TestFormerTenantOfTheSource(t *testing.T) {
	open, stream := town()
	client := open.Pods().Get(stream.From.Key)
	client.Node = "there"
	open.Put(workloads.Node{Name: "there"})
	open.Put(client)
	before := selecting(open, "gate", "b", "a")
	gone := without(before, client.Key)
	after := gone
	next := client
	next.Key.Name, next.Labels = "c", map[string]string{"name": "c"}
	after.Put(next)
	stream.From = End{Key: next.Key, Addr: stream.From.Addr, Remote: true}

	h, begun := newHistory(before, time.Minute), time.Now()
	h.acknowledge(h.begin("delete pod", begun, gone), begun.Add(9*time.Millisecond))
	h.acknowledge(h.begin("create pod", begun.Add(9*time.Millisecond), after), begun.Add(10*time.Millisecond))
	early, late := begun.Add(11*time.Millisecond), begun.Add(2*time.Minute)
	verdicts := h.verdictsOf(stream)
	if got := verdicts.at(span{early, early}).legal; got != either {
		t.Errorf("while the deletion may lag: got %b", got)
	}
	if got := verdicts.at(span{late, late}).legal; got != mayDrop {
		t.Errorf("in the end: got %b", got)
	}
}

// TestAddressOfTwo wants what is sent from and to an address to be free to go wrong as long as an agent may hold it to be another pod's as well.
func TestAddressOfTwo(t *testing.T) {
	one, stream := town()
	twin := one.Pods().Get(stream.To.Key)
	twin.Key.Name = "twin"
	two := one
	two.Put(twin)
	answer := stream
	answer.From, answer.To = stream.To, stream.From

	h, begun := newHistory(two, time.Minute), time.Now()
	h.acknowledge(h.begin("delete pod", begun, one), begun.Add(9*time.Millisecond))
	early, late := begun.Add(10*time.Millisecond), begun.Add(2*time.Minute)
	for _, flow := range []Flow{stream, answer} {
		verdicts := h.verdictsOf(flow)
		if got := verdicts.at(span{early, early}).legal; got != either {
			t.Errorf("%s, while the deletion may lag: got %b", flow, got)
		}
		if got := verdicts.at(span{late, late}).legal; got != mayPass {
			t.Errorf("%s, in the end: got %b", flow, got)
		}
	}
}

// TestRemotePodComes wants what a remote pod sends to be judged before the agent knows it: it comes from an address outside.
func TestRemotePodComes(t *testing.T) {
	open, stream := town()
	client := open.Pods().Get(stream.From.Key)
	client.Node = "there"
	open.Put(client)
	stream.From.Remote = true
	for name, c := range map[string]struct {
		with func(workloads.State) workloads.State
		want legal
	}{
		"nobody is kept out": {func(s workloads.State) workloads.State { return s }, mayPass},
		"all are":            {func(s workloads.State) workloads.State { return closing(s, "closed") }, mayDrop},
		"others are":         {func(s workloads.State) workloads.State { return selecting(s, "gate", "b", "a") }, either},
	} {
		s := c.with(open)
		h, now := newHistory(without(s, client.Key), time.Minute), time.Now()
		h.begin("create pod", now, s)
		if got := h.verdictsOf(stream).at(span{now, now}).legal; got != c.want {
			t.Errorf("%s: got %b, want %b", name, got, c.want)
		}
	}
}

// TestReceiverMoves wants what is sent to a pod of another node to be free to be lost from the moment on that the pod comes here: it is on its way
// to where the address was. And the other way round.
func TestReceiverMoves(t *testing.T) {
	here, stream := town()
	server := here.Pods().Get(stream.To.Key)
	server.Node = "there"
	there := here
	there.Put(server)
	for name, c := range map[string]struct {
		from, to workloads.State
		remote   bool
	}{"it comes here": {there, here, true}, "it goes": {here, there, false}} {
		stream.To.Remote = c.remote
		h, now := newHistory(c.from, time.Minute), time.Now()
		verdicts := h.verdictsOf(stream)
		if got := verdicts.at(span{now, now}).legal; got != mayPass {
			t.Errorf("%s, before: got %b", name, got)
		}
		h.begin("delete pod", now, without(c.from, server.Key))
		h.begin("create pod", now, c.to)
		if got := verdicts.at(span{now, now}).legal; got != either {
			t.Errorf("%s, meanwhile: got %b", name, got)
		}
	}
}

// TestUnwrittenChangesStay wants a change that is still being written to be kept, however much changes after it; and what was taken
// in too early to make either verdict legal until it must be in force.
func TestUnwrittenChangesStay(t *testing.T) {
	open, stream := town()
	h, now := newHistory(open, time.Minute), time.Now()
	closed := closing(open, "closed")
	crowd := closed
	for i := range maxMoved {
		k := workloads.Key{Namespace: "ns", Name: fmt.Sprint("pod", i)}
		crowd.Put(workloads.Pod{Key: k, Node: "there"})
	}
	writing := h.begin("create policy", now, closed)
	h.acknowledge(h.begin("create pod", now, crowd), now)
	verdicts := h.verdictsOf(stream)
	if got := verdicts.at(span{now, now}).legal; got != either || len(h.changes) != 2 {
		t.Errorf("a change that is still being written is forgotten: %b is legal, %d changes are left", got, len(h.changes))
	}
	h.acknowledge(writing, now)
	h.forget(now)
	if j := verdicts.at(span{now.Add(time.Second), now.Add(time.Second)}); len(h.changes) != 1 || j.legal != either || !j.crowded {
		t.Errorf("%d changes are left, %+v", len(h.changes), j)
	}
	later := now.Add(2 * time.Minute)
	if got := verdicts.at(span{later, later}).legal; got != mayDrop {
		t.Errorf("in the end %b is legal", got)
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
		"another comes meanwhile":                {[]workloads.State{open, closed, closing(closed, "other"), closing(open, "other")}, true},
		"it comes, goes and comes":               {[]workloads.State{open, closed, open, closed}, false},
		"a pod goes and its twin comes":          {[]workloads.State{open, without(open, stream.To.Key), open}, false},
		"one policy comes, another, and it goes": {[]workloads.State{closing(open, "other"), closing(closed, "other"), closed}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(c.states[0], time.Hour)
				for _, s := range c.states[1:] {
					h.acknowledge(h.begin("test", time.Now(), s), time.Now())
					time.Sleep(time.Millisecond)
				}
				h.converged(time.Now(), time.Now())
				time.Sleep(time.Millisecond)
				verdicts, is := h.verdictsOf(stream), verdictOf(stream, h.now)
				if got := verdicts.at(span{time.Now(), time.Now()}).legal; (got == is) != c.proof {
					t.Errorf("%b is legal, the model says %b", got, is)
				}
				time.Sleep(doubtFor)
				h.converged(time.Now(), time.Now())
				time.Sleep(disorder + time.Millisecond)
				h.forget(time.Now())
				if got := verdicts.at(span{time.Now(), time.Now()}).legal; got != is || len(h.changes) > 0 {
					t.Errorf("%b is legal in the end, the model says %b; %d changes are left", got, is, len(h.changes))
				}
			})
		})
	}
}

// TestLawAgainstAllCombinations compares what is asked for a flow with every combination of all that changes, on states and changes that are drawn.
func TestLawAgainstAllCombinations(t *testing.T) {
	seen := map[legal]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, stream := town()
		s.Put(workloads.Namespace{Name: "other"})
		s = drawChanges(r, s, 6)
		h, now := newHistory(s, time.Hour), time.Now()
		for range 1 + r.IntN(3) {
			s = drawChanges(r, s, 1+r.IntN(2))
			h.begin("test", now, s)
		}
		if r.IntN(2) == 0 {
			stream.From.Remote, stream.From.Key.Name = true, "far"
		}
		at := span{now, now}
		var slots []slot
		for part := range h.base {
			slots = append(slots, slot{part, h.versions(part, at)})
		}
		for part := range h.touched {
			if h.base[part] == nil {
				slots = append(slots, slot{part, h.versions(part, at)})
			}
		}
		var want legal
		var combine func(parts []any)
		combine = func(parts []any) {
			if len(parts) == len(slots) {
				want |= verdict(stream, h.now, slices.DeleteFunc(slices.Clone(parts), idle(stream, parts)))
				return
			}
			for _, v := range slots[len(parts)].versions {
				combine(append(parts[:len(parts):len(parts)], v.is))
			}
		}
		combine(nil)
		seen[want]++
		if got := h.verdictsOf(stream).at(at).legal; got != want {
			t.Fatalf("seed %d: got %b, want %b", seed, got, want)
		}
	}
	if seen[mayPass] < 20 || seen[mayDrop] < 20 || seen[either] < 20 {
		t.Errorf("the draws are one-sided: %v", seen)
	}
}

// TestVerdictsThatAreKept wants what is kept from packet to packet to be what would be found out anew, whatever comes, goes and is forgotten in
// between.
func TestVerdictsThatAreKept(t *testing.T) {
	begun, kept := time.Now(), 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, stream := town()
		s.Put(workloads.Namespace{Name: "other"})
		h, now := newHistory(s, 30*time.Second), begun
		verdicts, writing := h.verdictsOf(stream), []*change(nil)
		for range 60 {
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			switch r.IntN(6) {
			case 0, 1:
				s = drawChanges(r, s, 1)
				if c := h.begin("test", now, s); c != nil {
					writing = append(writing, c)
				}
			case 2:
				for _, c := range writing {
					h.acknowledge(c, now)
				}
				writing = nil
			case 3:
				h.converged(now.Add(-time.Second), now)
			case 4:
				h.leave(now)
				h.back(now.Add(time.Second))
			case 5:
				now = now.Add(time.Duration(r.IntN(20)) * time.Second)
				h.forget(now)
			}
			if r.IntN(3) > 0 { // what comes and is in force before the next packet must be seen as well
				continue
			}
			sent := now.Add(-time.Duration(r.IntN(300)) * time.Millisecond)
			at := span{sent, sent.Add(time.Duration(r.IntN(50)) * time.Millisecond)}
			before := verdicts.last
			got, want := verdicts.at(at), h.verdictsOf(stream).at(at)
			if got.legal != want.legal || got.crowded != want.crowded {
				t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
			}
			if before.last == got.last && before.revision != got.revision && !got.crowded {
				kept++
			}
		}
	}
	if kept < 500 {
		t.Errorf("only %d were kept while others changed", kept)
	}
}

// TestVerdictsOutliveNoHistory wants a change to count that came, was in force and was forgotten before the next packet.
func TestVerdictsOutliveNoHistory(t *testing.T) {
	open, stream := town()
	h, now := newHistory(open, time.Minute), time.Now()
	verdicts := h.verdictsOf(stream)
	if got := verdicts.at(span{now, now}).legal; got != mayPass {
		t.Fatalf("%b is legal at first", got)
	}
	h.acknowledge(h.begin("test", now.Add(time.Second), closing(open, "closed")), now.Add(time.Second))
	h.converged(now.Add(2*time.Second), now.Add(2*time.Second))
	later := now.Add(2*time.Second + 2*disorder)
	if h.forget(later); len(h.changes) > 0 {
		t.Fatal("the change is not forgotten")
	}
	if got := verdicts.at(span{later, later}).legal; got != mayDrop {
		t.Errorf("in the end %b is legal", got)
	}
}

// idle returns whether a part is an admin policy that selects nobody with an address of the flow: the others alone may make it unclear who is meant.
func idle(f Flow, parts []any) func(any) bool {
	return func(part any) bool {
		return ordered(part) && !slices.ContainsFunc(append(tenants(f.From.Addr, parts), tenants(f.To.Addr, parts)...), func(p workloads.Pod) bool {
			at := slices.IndexFunc(parts, func(is any) bool { n, ok := is.(workloads.Namespace); return ok && n.Name == p.Namespace })
			return p.Node == "here" && at >= 0 && part.(*workloads.Ruleset).Selects(p, parts[at].(workloads.Namespace))
		})
	}
}

// drawChanges changes so many parts of the state.
func drawChanges(r *rand.Rand, s workloads.State, count int) workloads.State {
	names, namespaces := []string{"a", "b", "far", "c"}, []string{"ns", "other"}
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	selector := func() metav1.LabelSelector {
		if r.IntN(3) == 0 {
			return metav1.LabelSelector{}
		}
		return metav1.LabelSelector{MatchLabels: map[string]string{"name": pick(names)}}
	}
	for range count {
		k := workloads.Key{Namespace: pick(namespaces), Name: pick(names)}
		switch r.IntN(6) {
		case 0, 1:
			p := workloads.Pod{Key: k, Node: "here", Labels: map[string]string{"name": pick(names)}, IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))})}}
			if k.Name == "far" {
				p.Node = "there"
			}
			s.Put(p)
		case 2:
			if k.Name != "a" {
				s.Remove(workloads.PodKind.Part(k))
			}
		case 3:
			s.Put(workloads.Namespace{Name: k.Namespace, Labels: map[string]string{"name": pick(names)}})
		case 4:
			peer, spaces := selector(), selector()
			s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
				PodSelector: selector(), PolicyTypes: []networkingv1.PolicyType{[]networkingv1.PolicyType{"Ingress", "Egress"}[r.IntN(2)]},
				Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &peer, NamespaceSelector: &spaces}}}},
				Egress:  []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{PodSelector: &peer, NamespaceSelector: &spaces}}}},
			}})
		default:
			if r.IntN(2) == 0 {
				s.Remove(workloads.NetworkKind.Part(k))
				continue
			}
			subject := selector()
			s.Put(workloads.AdminPolicy{Name: k.Name, Spec: policyv1alpha1.AdminNetworkPolicySpec{
				Priority: int32(r.IntN(3)), Subject: policyv1alpha1.AdminNetworkPolicySubject{Namespaces: &subject},
				Ingress: []policyv1alpha1.AdminNetworkPolicyIngressRule{{
					Action: []policyv1alpha1.AdminNetworkPolicyRuleAction{"Allow", "Deny", "Pass"}[r.IntN(3)],
					From:   []policyv1alpha1.AdminNetworkPolicyIngressPeer{{Namespaces: &metav1.LabelSelector{}}},
				}},
			}})
		}
	}
	return s
}

// selecting returns the state with a policy of the namespace for what pods of some name receive: from those of another name alone.
func selecting(s workloads.State, policy, pod, from string) workloads.State {
	k := workloads.Key{Namespace: "ns", Name: policy}
	named := func(name string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
	}
	peer := named(from)
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
		PodSelector: named(pod), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &peer}}}},
	}})
	return s
}

func withoutPolicy(s workloads.State, name string) workloads.State {
	s.Remove(workloads.NetworkKind.Part(workloads.Key{Namespace: "ns", Name: name}))
	return s
}
