//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// nft loads rules into the test's namespace.
func nft(t *testing.T, rules string) {
	t.Helper()
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(rules)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// TestConversation wants flows that are established to go on while new ones like them are dropped, and to be cut by a rule that drops all.
func TestConversation(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		netnstest.Lacks(t, "nft", err)
	}
	w := newWorld(t, 3)
	a, b, c := w.pods[0], w.pods[1], w.pods[2]
	nft(t, "table inet test { chain forward { type filter hook forward priority 0; ct state established accept; }; }")
	var flows []Flow
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
		for _, ip := range b.IPs {
			flows = append(flows, Flow{From: a.Pod, To: ip, Port: open, Protocol: protocol})
		}
		flows = append(flows, Flow{From: c.Pod, To: b.IPs[0], Port: open, Protocol: protocol})
	}
	stream := newStream(t, w)
	if err := stream.Open(flows[3], nil, time.Millisecond); err != nil { // it is another flow
		t.Fatal(err)
	}
	talk, err := stream.Converse(t.Context(), flows, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	nft(t, "add rule inet test forward drop")
	for i, r := range w.prober.Probe(t.Context(), flows) {
		if !errors.Is(r.Err, ErrDropped) {
			t.Errorf("%+v: got %+v, want a drop", flows[i], r)
		}
	}
	time.Sleep(200 * time.Millisecond)
	before := time.Now()
	nft(t, fmt.Sprintf("insert rule inet test forward ip saddr %s drop; insert rule inet test forward ip6 daddr %s drop", a.IPs[0], a.IPs[1])) // there; back
	after := time.Now()
	time.Sleep(300 * time.Millisecond)
	sent, back := talk.Said()
	said := talk.End()
	if _, err := stream.Stop(); err != nil {
		t.Fatal(err)
	}
	for i, f := range flows {
		last := said[i][len(said[i])-1]
		if last.Sent.Before(after.Add(100 * time.Millisecond)) {
			t.Errorf("%+v: the last of %d messages was sent %v after the rule", f, len(said[i]), last.Sent.Sub(after))
		}
		heard := 0
		for n, d := range said[i] {
			answered := !d.Received.IsZero()
			if answered {
				heard++
			}
			switch goesOn := f.From == c.Pod; {
			case d.Flow != f, answered && d.Received.Before(d.Sent), n > 0 && d.Sent.Before(said[i][n-1].Sent), d.Err != nil:
				t.Fatalf("%+v: message %d of %d is %+v", f, n, len(said[i]), d)
			case !answered && (goesOn || d.Sent.Before(before.Add(-100*time.Millisecond))), answered && !goesOn && d.Sent.After(after):
				t.Fatalf("%+v: message %d of %d, sent %v after the rule, answered: %t", f, n, len(said[i]), d.Sent.Sub(after), answered)
			}
		}
		if back == 0 || back > heard || sent < back || sent > len(said[i]) {
			t.Errorf("%+v: %d sent and %d back before the end, %d and %d at the end", f, sent, back, len(said[i]), heard)
		}
	}
}

func TestConversationEnds(t *testing.T) {
	w := newWorld(t, 3)
	stream := newStream(t, w)
	flow := func(i, j int, protocol corev1.Protocol) Flow {
		return Flow{From: w.pods[i].Pod, To: w.pods[j].IPs[0], Port: open, Protocol: protocol}
	}
	// By TCP each end learns that the other is gone.
	talk, err := stream.Converse(t.Context(), []Flow{flow(0, 1, corev1.ProtocolTCP), flow(1, 0, corev1.ProtocolTCP), flow(1, 0, corev1.ProtocolUDP)}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	ns, _ := w.plugger.Namespace(w.pods[0].Pod)
	if err := w.prober.Release(ns); err != nil {
		t.Fatal(err)
	}
	released := time.Now()
	time.Sleep(50 * time.Millisecond)
	for i, said := range talk.End() {
		last := said[len(said)-1]
		if said[0].Received.IsZero() || i == 0 && last.Sent.After(released) || i > 0 && !last.Received.IsZero() {
			t.Errorf("flow %d: %d messages, the first %+v, the last %+v", i, len(said), said[0], last)
		}
	}
	if talk, err = stream.Converse(t.Context(), []Flow{flow(2, 1, corev1.ProtocolTCP), flow(2, 1, corev1.ProtocolUDP)}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	talk.End()
	time.Sleep(50 * time.Millisecond)
	ns, _ = w.plugger.Namespace(w.pods[1].Pod)
	w.prober.mu.Lock()
	if got := len(w.prober.spaces[ns].receivers); got != 2 {
		t.Errorf("%d sockets listen or answer, want the two that listen", got)
	}
	w.prober.mu.Unlock()
	unknown := flow(2, 1, corev1.ProtocolTCP)
	unknown.From = workloads.Key{Namespace: "ns", Name: "unknown"}
	refused := flow(2, 1, corev1.ProtocolTCP)
	refused.Port = closed
	for want, f := range map[error]Flow{os.ErrNotExist: unknown, ErrRefused: refused} {
		if _, err := stream.Converse(t.Context(), []Flow{flow(2, 1, corev1.ProtocolUDP), f}, time.Millisecond); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", f, err, want)
		}
	}
	if _, err := stream.Converse(t.Context(), nil, 0); err == nil {
		t.Error("a conversation without interval was begun")
	}
	if _, err := stream.Stop(); err != nil || len(stream.talks) > 0 {
		t.Errorf("%v, left: %v", err, stream.talks)
	}
}
