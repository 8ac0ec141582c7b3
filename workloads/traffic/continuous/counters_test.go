//go:build linux

package continuous

import (
	"flag"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// A million takes a minute: go test ./workloads/traffic/continuous -run CountersAgree -args -packets 1000000
var packets = flag.Uint64("packets", 30_000, "datagrams that TestCountersAgree sends")

// TestCountersAgree holds that the kernel's counters of an impairment and the traffic's own account say the same, to the packet, in both
// directions, while some packets are lost and others are held back.
func TestCountersAgree(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
	must(t, err)
	defer func() { must(t, link.Close()) }()
	filter := impair.Filter{Connection: &impair.Connection{Protocol: corev1.ProtocolUDP, Remote: impair.Endpoint{Port: port}}}
	lossy := impair.Loss{Chance: impair.Chance{Share: 0.01}}
	must(t, link.Set(impair.Impairment{Name: "there", Filter: filter, Quality: impair.Quality{Loss: lossy, Delay: time.Millisecond, Seed: 3}}))
	must(t, link.Set(impair.Impairment{Name: "back", Direction: impair.In, Filter: filter, Quality: impair.Quality{Loss: lossy, Seed: 4}}))
	s := between(pods, load.UDP)
	s.Connections, s.Rate, s.GiveUp, s.Late = 20, 15_000, 5*time.Second, 5*time.Second
	s.Duration = time.Duration(float64(*packets) / s.Rate * float64(time.Second))
	r := run(t, plugger, s)
	all, err := link.Show()
	must(t, err)
	there, back := all[0], all[1]
	t.Logf("%d due, %d sent, %d lost there, %d lost back; the kernel's: %+v there, %+v back", r.Count.Due, r.Count.Sent, r.Count.There.Lost, r.Count.Back.Lost,
		there.Counters, back.Counters)
	if r.Count.Due != *packets {
		t.Errorf("%d were due, not %d", r.Count.Due, *packets)
	}
	const headers = 14 + 20 + 8
	for _, way := range []struct {
		name   string
		kernel impair.Counters
		sent   uint64
		size   uint64
		seen   load.Way
	}{
		{"there", there.Counters, r.Count.Sent, headers + uint64(r.Spec.Size), r.Count.There},
		{"back", back.Counters, r.Count.There.Arrived, headers + answerSize, r.Count.Back},
	} {
		want := impair.Counters{Packets: way.sent, Bytes: way.sent * way.size, Lost: way.seen.Lost, LostBytes: way.seen.Lost * way.size}
		if way.kernel != want {
			t.Errorf("%s: the kernel counted %+v, the traffic %+v", way.name, way.kernel, want)
		}
	}
	held := there.Held
	if held.Sent != r.Count.There.Arrived || held.Came != held.Sent || held.Dropped != 0 {
		t.Errorf("%d packets left the detour of %d that came, %d arrived; %+v", held.Sent, held.Came, r.Count.There.Arrived, held)
	}
	for _, i := range all {
		for _, c := range i.Proof {
			if c.Property == "loss" && c.State != metrics.InForce { // delays are as late as this machine is busy
				t.Errorf("%s: %s", i.Name, c)
			}
		}
	}
}
